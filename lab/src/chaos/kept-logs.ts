import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Program } from '../kit/program.ts';

/** The output of every life of every process. */
export type Logs = {
  add(name: string, program: Program): void;
  save(directory: string): Promise<void>;
};

export function createLogs(): Logs {
  const lives: { name: string; program: Program }[] = [];
  return {
    add(name, program) {
      if (!lives.some((life) => life.program === program)) lives.push({ name, program });
    },
    async save(directory) {
      await mkdir(directory, { recursive: true });
      for (const [name, all] of Map.groupBy(lives, (life) => life.name)) {
        const text = all.map(
          ({ program }, n) =>
            `--- life ${n + 1}, pid ${program.pid}\n${program.lines.join('\n')}\n`,
        );
        await writeFile(
          join(directory, `${name.replaceAll(/[^a-z0-9]+/gi, '-')}.log`),
          text.join(''),
        );
      }
    },
  };
}
