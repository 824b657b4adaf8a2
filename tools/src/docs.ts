import { join } from 'node:path';
import { generatedDocs, writeDocs } from './generated-docs.ts';

await writeDocs(generatedDocs, join(import.meta.dirname, '../..'));
process.stdout.write(`${generatedDocs.map((doc) => `wrote ${doc.file}\n`).join('')}`);
