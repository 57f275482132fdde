/** Prometheus metrics of the process. Parts make their own counters in `registry`. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { RequestMetrics } from './request-metrics.ts';

/** How finely the delay of the event loop is sampled, in milliseconds. Finer wakes an idle process more often. */
const EVENT_LOOP_PRECISION_MS = 50;

/** What is counted in this process. */
export class Metrics {
  /** Counters, gauges and histograms of the parts: `new Counter({ name: 'inglenook_…', help, registers: [registry] })`. */
  readonly registry = new Registry();
  readonly requests = new RequestMetrics();
  #collecting = false;

  /** Everything in the Prometheus text format. The process's own metrics are gathered from the first call on. */
  async render(): Promise<string> {
    this.#collectDefaults();
    return (await this.registry.metrics()) + this.requests.render();
  }

  /** The content type of `render()`. */
  get contentType(): string {
    return this.registry.contentType;
  }

  /** Memory, CPU, garbage collection and event-loop delay; not before somebody asks, since sampling has a cost. */
  #collectDefaults(): void {
    if (this.#collecting) return;
    this.#collecting = true;
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS });
  }
}
