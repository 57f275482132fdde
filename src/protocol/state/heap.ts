/** A binary heap: `pop` gives the smallest by `compare`. */
export class Heap<T> {
  private readonly items: T[] = [];
  private readonly compare: (a: T, b: T) => number;

  constructor(compare: (a: T, b: T) => number) {
    this.compare = compare;
  }

  push(item: T): void {
    let at = this.items.length;
    this.items.push(item);
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.items[parentAt];
      if (parent === undefined || this.compare(parent, item) <= 0) break;
      this.items[at] = parent;
      at = parentAt;
    }
    this.items[at] = item;
  }

  pop(): T | undefined {
    const smallest = this.items[0];
    const last = this.items.pop();
    if (last !== undefined && this.items.length > 0) this.sinkFromTop(last);
    return smallest;
  }

  private sinkFromTop(item: T): void {
    let at = 0;
    for (;;) {
      const childAt = this.smallerChildOf(at);
      const child = this.items[childAt];
      if (child === undefined || this.compare(item, child) <= 0) break;
      this.items[at] = child;
      at = childAt;
    }
    this.items[at] = item;
  }

  private smallerChildOf(at: number): number {
    const left = this.items[2 * at + 1];
    const right = this.items[2 * at + 2];
    const isRight = left !== undefined && right !== undefined && this.compare(right, left) < 0;
    return isRight ? 2 * at + 2 : 2 * at + 1;
  }
}
