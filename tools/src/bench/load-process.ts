// The load comes from a process of its own, so that it shares a machine with the server but no event loop.
import { type Load, type LoadResult, postAtRate, postCount, postFor } from './load.ts';

/** What the bench asks of this process, once. */
export type LoadJob = { load: Load } & (
  | { shape: 'for'; warmupSeconds: number; seconds: number }
  | { shape: 'count'; count: number }
  | { shape: 'rate'; rate: number; count: number }
);

/** What it answers: that the warm-up is over (shape `for` only), then the result. */
export type LoadMessage = { event: 'measuring' } | { event: 'done'; result: LoadResult };

const tell = (message: LoadMessage): void => void process.send?.(message);

process.once('message', async (job: LoadJob) => {
  const { load } = job;
  const result =
    job.shape === 'for'
      ? await postFor(load, job, () => tell({ event: 'measuring' }))
      : job.shape === 'count'
        ? await postCount(load, job.count)
        : await postAtRate(load, job.rate, job.count);
  tell({ event: 'done', result });
});
process.once('disconnect', () => process.exit(0));
