import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Repository } from './check/repository.ts';
import type { Rule } from './check/rule.ts';
import { eventsApi, fulfillmentServiceApi, orderServiceApi } from './generated-docs/api.ts';
import { configurationPage, exampleEnvironment } from './generated-docs/configuration.ts';
import { licencesPage } from './generated-docs/licences.ts';

/** A file that is written by a program from the one place where its facts are declared. */
export interface GeneratedDoc {
  /** Path from the root. */
  file: string;
  /** The complete text. The same sources must give the same text: no time, no random order. */
  generate(): Promise<string>;
}

export const generatedDocs: readonly GeneratedDoc[] = [
  { file: 'docs/configuration.md', generate: configurationPage },
  { file: '.env.example', generate: exampleEnvironment },
  { file: 'docs/api/order-service.openapi.json', generate: orderServiceApi },
  { file: 'docs/licences.md', generate: licencesPage },
  { file: 'docs/api/fulfillment-service.openapi.json', generate: fulfillmentServiceApi },
  { file: 'docs/api/events.asyncapi.json', generate: eventsApi },
];

/** Fails for each document whose text in the repository is not what its generator gives now. */
export function freshDocs(docs: readonly GeneratedDoc[]): Rule {
  return {
    name: `generated documents (${docs.length}) are fresh`,
    async inspect(repository: Repository) {
      const problems: string[] = [];
      for (const { file, generate } of docs) {
        if (!repository.files.includes(file)) problems.push(`${file}: is missing: npm run docs`);
        else if ((await repository.read(file)) !== (await generate()))
          problems.push(`${file}: is stale: npm run docs`);
      }
      return { problems, notes: [] };
    },
  };
}

/** Writes every document below `root`, making folders as needed. */
export async function writeDocs(docs: readonly GeneratedDoc[], root: string): Promise<void> {
  for (const { file, generate } of docs) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), await generate());
  }
}
