import type { TObject } from 'typebox';
import type { Log } from './log.ts';

/** Two slips of the finger; more may well be another word. */
const slipsMax = 2;
/** Shorter names are like too many others. */
const lengthMin = 8;

/**
 * Warns of each variable of the environment that is none of the schema's, but nearly one: it would
 * be ignored in silence.
 */
export function warnOfMisspelt(schema: TObject, env: NodeJS.ProcessEnv, log: Log): void {
  for (const { name, meant } of misspelt(Object.keys(schema.properties), Object.keys(env)))
    log.warn({ variable: name, meant }, 'a variable is not known; is it misspelt?');
}

/** Names that are nearly a known one, or lack only its unit, each with the one that was meant. */
export function misspelt(known: string[], names: string[]): { name: string; meant: string }[] {
  const taken = new Set(known.flatMap((name) => [name, `${name}_FILE`]));
  return names.flatMap((name) => {
    if (taken.has(name) || name.length < lengthMin) return [];
    const meant = known.find((one) => one.startsWith(`${name}_`) || isNearly(name, one));
    return meant === undefined ? [] : [{ name, meant }];
  });
}

const isNearly = (name: string, known: string): boolean =>
  Math.abs(name.length - known.length) <= slipsMax && slips(name.toUpperCase(), known) <= slipsMax;

/** Letters to insert, to leave out or to replace (Levenshtein). */
function slips(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const isSame = a[row - 1] === b[column - 1];
      const replaced = (above[column - 1] ?? 0) + (isSame ? 0 : 1);
      const moved = Math.min(above[column] ?? 0, current[column - 1] ?? 0) + 1;
      current.push(Math.min(replaced, moved));
    }
    above = current;
  }
  return above[b.length] ?? 0;
}
