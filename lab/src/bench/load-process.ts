// The load comes from a process of its own, so that it shares a machine with the server but no
// event loop.
import { type Load, type LoadResult, postAtRate, postCount, postFor } from './load.ts';

/** What the bench asks of this process, once. */
export type LoadJob = { load: Load } & (
  | { shape: 'for'; warmupSeconds: number; seconds: number }
  | { shape: 'count'; count: number }
  | { shape: 'rate'; rate: number; count: number }
);

/**
 * What it answers: that the measured time begins (after the warm-up, where there is one), then the
 * result.
 */
export type LoadMessage = { event: 'measuring' } | { event: 'done'; result: LoadResult };

const send = (message: LoadMessage): void => void process.send?.(message);

process.once('message', async (job: LoadJob) => {
  send({ event: 'done', result: await post(job) });
});
process.once('disconnect', () => process.exit(0));

async function post(job: LoadJob): Promise<LoadResult> {
  const measuring = (): void => send({ event: 'measuring' });
  if (job.shape === 'for') return await postFor(job.load, job, measuring);
  measuring();
  return job.shape === 'count'
    ? await postCount(job.load, job.count)
    : await postAtRate(job.load, job.rate, job.count);
}
