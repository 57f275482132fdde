import { mock } from 'node:test';

const LONG_MS = 60_000;
const { setTimeout } = globalThis;

/**
 * For each request for news the library leaves a timer of almost two minutes behind, also after the client was stopped.
 * Such timers must not hold up the end of the tests.
 */
export function releaseLongTimers(): void {
  mock.method(globalThis, 'setTimeout', (fn: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    const timer = setTimeout(fn, ms, ...args);
    if (ms !== undefined && ms >= LONG_MS) timer.unref();
    return timer;
  });
}
