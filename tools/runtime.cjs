'use strict';
// Plain JavaScript that an old Node reads too: the npm scripts ask it before they start a program.
// Without the Node of `npm ci` (its install script was left out) the one of the machine is used,
// which may not read TypeScript, and says so in its own words.
if (typeof require('node:crypto').randomUUIDv7 !== 'function') {
  process.stderr.write(
    `This is Node ${process.versions.node}, and the programs need 24.21 or newer, which npm brings along: run "npm ci" without --ignore-scripts, or "npm rebuild".\n`,
  );
  process.exit(1);
}
