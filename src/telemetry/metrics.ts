/** Prometheus metrics of the process. Nothing is gathered, and prom-client isn't loaded, until somebody asks for them. */
import type { Registry } from 'prom-client';
import { RequestMetrics } from './request-metrics.ts';

/** How finely the delay of the event loop is sampled, in milliseconds. Finer wakes an idle process more often. */
const EVENT_LOOP_PRECISION_MS = 50;

/** A figure that a part keeps by itself, as a plain number, and that is read at each scrape. */
export interface MetricSource {
  /** `inglenook_…`, with the unit last; counters end in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  read(): number;
}

/** What is counted in this process. */
export class Metrics {
  readonly requests = new RequestMetrics();
  /** The content type of `render()`. */
  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';
  readonly #sources: MetricSource[] = [];
  #registry: Promise<Registry> | undefined;

  /** Adds figures; before the first scrape, so while the server starts. */
  add(...sources: readonly MetricSource[]): void {
    this.#sources.push(...sources);
  }

  /** Everything in the Prometheus text format: requests, the parts' figures, memory, CPU, garbage, event-loop delay. */
  async render(): Promise<string> {
    this.#registry ??= this.#makeRegistry();
    return (await (await this.#registry).metrics()) + this.requests.render();
  }

  async #makeRegistry(): Promise<Registry> {
    const prometheus = await import('prom-client');
    const registry = new prometheus.Registry();
    prometheus.collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS });
    for (const { type, name, help, read } of this.#sources) {
      const common = { name, help, registers: [registry] };
      if (type === 'gauge') {
        new prometheus.Gauge({
          ...common,
          collect() {
            this.set(read());
          },
        });
      } else {
        new prometheus.Counter({
          ...common,
          collect() {
            this.reset();
            this.inc(read());
          },
        });
      }
    }
    return registry;
  }
}
