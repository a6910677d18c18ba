/** Virtual time: events in order of their time, and of their making where times are equal. Nothing here waits. */
export class Timeline {
  nowMs: number;
  #heap: Event[] = [];
  #made = 0;

  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  /** `code`: the event resumes asynchronous code, which must come to rest before time goes on. */
  at(atMs: number, run: () => void, code = false): void {
    const event = { atMs: Math.max(atMs, this.nowMs), order: this.#made++, run, code };
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  in(ms: number, run: () => void, code = false): void {
    this.at(this.nowMs + ms, run, code);
  }

  /** Runs events until `done` or until `endMs`. */
  async run(endMs: number, done: () => boolean): Promise<void> {
    while ((this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY) <= endMs) {
      const event = this.#take();
      if (event === undefined) return;
      this.nowMs = event.atMs;
      event.run();
      if (event.code) await rest();
      if (done()) return;
    }
  }

  #take(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

interface Event {
  atMs: number;
  order: number;
  run: () => void;
  code: boolean;
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** A turn of the event loop: every promise that can settle has, because nothing in a run waits for the outside. */
function rest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
