import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setClockAhead } from '@orders/platform/process/wall-clock';
import { createdAtOf, newOrderId } from '../src/order.ts';

/** By how much the time in a new id is ahead of this machine's clock, in seconds. */
function idAheadSeconds(t: TestContext, clockAheadMs: number): number {
  setClockAhead(clockAheadMs);
  t.after(() => setClockAhead(0));
  const id = newOrderId();
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  return Math.round((createdAtOf(id).getTime() - Date.now()) / 1_000);
}

test('the id of an order has the time of PostgreSQL where the clock of the machine is slow or fast', (t) => {
  assert.equal(idAheadSeconds(t, -300_000), 300);
  assert.equal(idAheadSeconds(t, 7_200_000), -7_200);
});

test('the id of an order has the time of the machine where both clocks agree', (t) => {
  assert.equal(idAheadSeconds(t, 1_500), 0);
});
