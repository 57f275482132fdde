/**
 * Counts and times requests. It runs for each request, so it only adds to numbers in arrays; text is made at a scrape.
 * (A labelled prom-client histogram hashes its labels at each observation.)
 */

/** Upper bounds of the histogram's buckets, in milliseconds. */
const BOUNDS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000] as const;

/** The figures of one operation. */
class Operation {
  readonly byStatus = new Map<number, number>();
  /** One more than there are bounds: the last is for what exceeds them all. */
  readonly buckets = new Float64Array(BOUNDS_MS.length + 1);
  sumMs = 0;
  count = 0;
}

/** Requests by operation and status, and how long they took. */
export class RequestMetrics {
  readonly #operations = new Map<string, Operation>();
  #inFlight = 0;

  /** A request began. */
  begin(): void {
    this.#inFlight++;
  }

  /** A request ended, `durationMs` after it began. */
  end(operationId: string, status: number, durationMs: number): void {
    this.#inFlight--;
    let operation = this.#operations.get(operationId);
    if (operation === undefined) {
      operation = new Operation();
      this.#operations.set(operationId, operation);
    }
    operation.byStatus.set(status, (operation.byStatus.get(status) ?? 0) + 1);
    operation.sumMs += durationMs;
    operation.count++;
    let bucket = 0;
    while (bucket < BOUNDS_MS.length && durationMs > (BOUNDS_MS[bucket] ?? 0)) bucket++;
    operation.buckets[bucket] = (operation.buckets[bucket] ?? 0) + 1;
  }

  /** Requests that are being answered right now, waiting `/sync`s among them. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** The figures in the Prometheus text format. */
  render(): string {
    const lines = [
      '# HELP inglenook_http_requests_in_flight Requests being answered.',
      '# TYPE inglenook_http_requests_in_flight gauge',
      `inglenook_http_requests_in_flight ${this.#inFlight}`,
      '# HELP inglenook_http_requests_total Requests answered, by operation and status.',
      '# TYPE inglenook_http_requests_total counter',
    ];
    for (const [id, operation] of this.#operations) {
      for (const [status, count] of operation.byStatus) {
        lines.push(`inglenook_http_requests_total{operation="${id}",status="${status}"} ${count}`);
      }
    }
    lines.push(
      '# HELP inglenook_http_request_seconds Time from request to answer, by operation.',
      '# TYPE inglenook_http_request_seconds histogram',
    );
    for (const [id, operation] of this.#operations) lines.push(...histogramLines(id, operation));
    return `${lines.join('\n')}\n`;
  }
}

function histogramLines(id: string, operation: Operation): string[] {
  const name = 'inglenook_http_request_seconds';
  const lines: string[] = [];
  let cumulative = 0;
  BOUNDS_MS.forEach((boundMs, index) => {
    cumulative += operation.buckets[index] ?? 0;
    lines.push(`${name}_bucket{operation="${id}",le="${boundMs / 1000}"} ${cumulative}`);
  });
  lines.push(
    `${name}_bucket{operation="${id}",le="+Inf"} ${operation.count}`,
    `${name}_sum{operation="${id}"} ${operation.sumMs / 1000}`,
    `${name}_count{operation="${id}"} ${operation.count}`,
  );
  return lines;
}
