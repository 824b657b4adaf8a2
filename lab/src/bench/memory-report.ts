import { type MemoryRun, mebibytes } from './memory.ts';
import { linePlot } from './plots.ts';
import { type Circumstances, type Files, preamble, targetTable } from './report-parts.ts';
import type { Target } from './targets.ts';

/** The page of the memory run and its plot. */
export function memoryReportOf(
  circumstances: Circumstances,
  run: MemoryRun,
  target: Target,
): Files {
  const last = run.samples.at(-1);
  const page = `# Memory

${preamble(circumstances)}
${targetTable([target])}
${run.orders.toLocaleString('en')} orders went through the whole system (npm start) in ${run.seconds.toFixed(0)} s. At the end the process held
${mebibytes(last?.serverBytes ?? 0)} MiB and PostgreSQL ${mebibytes(last?.postgresBytes ?? 0)} MiB (what its processes share counted once).

![Memory over time](memory.svg)
`;
  const points = (bytes: 'serverBytes' | 'postgresBytes') =>
    run.samples.map((sample) => ({ x: sample.seconds, y: sample[bytes] / 1024 / 1024 }));
  return {
    'memory.md': page,
    'memory.svg': linePlot(
      `Resident memory over ${run.orders.toLocaleString('en')} orders`,
      { x: 'seconds', y: 'MiB' },
      [
        { label: 'npm start (Node)', points: points('serverBytes') },
        { label: 'PostgreSQL', points: points('postgresBytes') },
      ],
    ),
  };
}
