import type { Repository } from '../../src/check/repository.ts';

/** A repository that exists in memory only: path → text. */
export function inventRepository(texts: Record<string, string>, root = '/nowhere'): Repository {
  return {
    root,
    files: Object.keys(texts).sort(),
    read: async (path) => texts[path] ?? Promise.reject(new Error(`${path} was not invented`)),
  };
}
