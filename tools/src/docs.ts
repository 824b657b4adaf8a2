import { join } from 'node:path';
import { runCommand } from '@orders/platform/process/command-line';
import { generatedDocs, writeDocs } from './generated-docs.ts';

const usage = `Usage: npm run docs
  writes ${generatedDocs.map(({ file }) => file).join(', ')}
`;

await runCommand({ usage, options: {} }, async () => {
  await writeDocs(generatedDocs, join(import.meta.dirname, '../..'));
  process.stdout.write(generatedDocs.map((doc) => `wrote ${doc.file}\n`).join(''));
  return 0;
});
