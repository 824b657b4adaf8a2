import assert from 'node:assert/strict';
import { simulate } from '../kit/shipping-provider.ts';
import type { TcpProxy } from '../kit/tcp-proxy.ts';
import { elapse } from '../kit/until.ts';
import { type CpuShare, startCpuWatch } from './cpu-watch.ts';
import type { Fault } from './fault-kinds.ts';
import { type Subject, usualSimulation, type Victim } from './subject.ts';

/**
 * When a fault was there, in Date.now(); it ends when what was killed is launched, not when it
 * works again. `cpu`: what processes used while their database was away.
 */
export type Inflicted = { fault: Fault; startedAt: number; endedAt: number; cpu: CpuShare[] };

const cutEveryMs = 200;

/**
 * Carries a fault out, from its beginning to its end. @throws when what was struck does not come
 * back or had ended by itself
 */
export async function inflict(fault: Fault, subject: Subject): Promise<Inflicted> {
  const { action, part } = fault;
  const startedAt = Date.now();
  const cpuOf = isOfDatabase(fault) ? startCpuWatch(subject.victims) : () => [];
  const ended = (): Inflicted => ({ fault, startedAt, endedAt: Date.now(), cpu: cpuOf() });
  if (action === 'simulate') {
    await misbehave(fault, subject);
    return ended();
  }
  if (action === 'read_only') {
    await get(subject.victims, part).untilReady();
    await subject.readOnlySpell(fault.durationMs);
    return ended();
  }
  if (action !== 'kill' && action !== 'pause') {
    await disturb(fault, get(subject.networks, part));
    return ended();
  }
  const victim = get(subject.victims, part);
  if (action === 'pause') {
    await pause(victim, fault.durationMs);
    return ended();
  }
  await victim.kill();
  await elapse(fault.durationMs);
  const inflicted = ended();
  victim.launch();
  if (fault.waits) await victim.untilReady();
  return inflicted;
}

const isOfDatabase = ({ action, part }: Fault): boolean =>
  part === 'PostgreSQL' && (action === 'pause' || action === 'read_only');

async function pause(victim: Victim, durationMs: number): Promise<void> {
  victim.signal('SIGSTOP');
  try {
    await elapse(durationMs);
  } finally {
    victim.signal('SIGCONT');
  }
}

async function misbehave(
  { part, durationMs, change = {} }: Fault,
  { victims, providerUrl }: Subject,
): Promise<void> {
  // It may be on its way back from a kill that nobody waited for.
  await get(victims, part).untilReady();
  await simulate(providerUrl, change);
  await elapse(durationMs);
  await simulate(providerUrl, usualSimulation);
}

async function disturb(
  { action, durationMs, share, delayMs = 0 }: Fault,
  network: TcpProxy,
): Promise<void> {
  const end = performance.now() + durationMs;
  if (action === 'cut') {
    network.cut(share);
    while (performance.now() + cutEveryMs < end) {
      await elapse(cutEveryMs);
      network.cut(share);
    }
    return;
  }
  if (action === 'slow') network.slow(delayMs);
  else network.hold();
  await elapse(durationMs);
  if (action === 'lose') network.cut();
  network.slow(0);
  network.release();
}

function get<T>(parts: ReadonlyMap<string, T>, name: string): T {
  const part = parts.get(name);
  assert.ok(part !== undefined, `the system has no part "${name}"`);
  return part;
}
