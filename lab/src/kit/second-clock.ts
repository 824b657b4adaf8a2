// Loaded before a program (`node --import`): its wall clock is ahead by CLOCK_AHEAD_SECONDS, behind
// where that is negative. Its monotonic clock and its neighbours keep their time.
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

const aheadMs = Number(process.env.CLOCK_AHEAD_SECONDS ?? 0) * 1_000;
const RealDate = Date;
const now = (): number => RealDate.now() + aheadMs;
const timeHexDigits = 12;

class ShiftedDate extends RealDate {
  constructor(...given: [] | [number]) {
    super(...(given.length === 0 ? ([now()] as const) : given));
  }
  static override now(): number {
    return now();
  }
}
globalThis.Date = ShiftedDate as DateConstructor;
const real = crypto.randomUUIDv7;
crypto.randomUUIDv7 = (...args) => {
  const time = now().toString(16).padStart(timeHexDigits, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}${real(...args).slice(13)}` as crypto.UUID;
};
syncBuiltinESMExports();
