export type BackoffLimits = { backoffMs: number; backoffMaxMs: number };

/**
 * Exponential backoff with full jitter (Marc Brooker, "Exponential Backoff And Jitter", AWS
 * Architecture Blog, 2015).
 */
export function backoffOf(retries: number, random: number, limits: BackoffLimits): number {
  const { backoffMs, backoffMaxMs } = limits;
  return Math.round(random * Math.min(backoffMaxMs, backoffMs * 2 ** Math.min(retries, 30)));
}
