import { isSlipwayError, SlipwayError } from '../kernel/errors.ts';
import { type Clock, sleep } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { ImageStore } from './images.ts';
import { LIMITS } from './limits.ts';
import { type InstanceLogs, lastWords } from './logs.ts';
import { beginEnding, type PlanTimes, plan, settle, withOutput } from './plan.ts';
import { isAlive, membersOf, signalAll } from './processes.ts';
import { type ReadinessWatch, watchReadiness } from './readiness-watch.ts';
import type { InstanceRecord, Run } from './record.ts';
import { type Started, type Starter, verifiedImage } from './starter.ts';
import type { AgentStore } from './store.ts';

/** What all supervisors of an agent share. */
export interface Surroundings {
  clock: Clock;
  log: Logger;
  store: AgentStore;
  images: ImageStore;
  logs: InstanceLogs;
  bootId: string;
  times: PlanTimes;
  starter: Starter;
  /** Another instance of this image has living processes. */
  runsElsewhere(record: InstanceRecord): boolean;
  count(event: 'start' | 'crash' | 'failed' | 'stopped' | 'pulled' | 'pull-failed' | 'adopted'): void;
  onForgotten(id: string): Promise<void>;
}

export interface Supervisor {
  record(): InstanceRecord;
  /** Applies `next` to the newest record, saves it durably, then acts on it. Changes of one instance never overlap. */
  change(next: (record: InstanceRecord) => InstanceRecord): Promise<void>;
  /** Ends the instance at once, without grace, because it uses too much memory; it is started again. */
  exceeded(bytes: number): Promise<void>;
  /** No start from now on; used while the agent takes its instances down. */
  hold(): void;
  /** Stops supervising; living processes go on. Resolves when nothing is under way. */
  detach(): Promise<void>;
}

/** Starts the loop that keeps one instance as its record says, until it is forgotten or detached. */
export function supervise(initial: InstanceRecord, around: Surroundings): Supervisor {
  return new InstanceLoop(initial, around);
}

/** How the last process of a run ended, by marker; only for our own children. */
interface Child {
  marker: string;
  ended: string | null;
}

const LEFTOVER_POLL_MS = 50;

class InstanceLoop implements Supervisor {
  #record: InstanceRecord;
  readonly #around: Surroundings;
  #changes: Promise<void> = Promise.resolve();
  #wake = new AbortController();
  #detached = false;
  #held = false;
  #image: 'needed' | 'pulling' | 'ready' = 'needed';
  #child: Child | null = null;
  readonly #readiness: ReadinessWatch;
  #pullTries = 0;
  readonly #finished: Promise<void>;

  constructor(initial: InstanceRecord, around: Surroundings) {
    this.#record = initial;
    this.#around = around;
    this.#readiness = watchReadiness(around.clock, around.bootId);
    this.#finished = this.#loop();
  }

  record(): InstanceRecord {
    return this.#record;
  }

  change(next: (record: InstanceRecord) => InstanceRecord): Promise<void> {
    const changing = this.#changes.then(async () => {
      const changed = next(this.#record);
      if (changed === this.#record) return;
      await this.#around.store.save(changed);
      this.#record = changed;
    });
    this.#changes = changing.catch(() => {});
    return changing.finally(() => this.#wake.abort());
  }

  async exceeded(bytes: number): Promise<void> {
    const limit = this.#record.spec.resources.memoryBytes;
    const reason = `killed: it used ${mebibytes(bytes)} of memory, its limit is ${mebibytes(limit ?? 0)}`;
    await this.change((record) => {
      if (record.run === null || record.ending !== null) return record;
      const ending = beginEnding(record, 'recycle', reason);
      // As if the grace had passed: the next look sends SIGKILL.
      const longAgo = this.#around.clock.nowMs() - record.spec.stopGraceMs;
      return { ...ending, ending: { why: 'recycle', termSentAtMs: longAgo, killSentAtMs: null } };
    });
  }

  hold(): void {
    this.#held = true;
    this.#wake.abort();
  }

  async detach(): Promise<void> {
    this.#detached = true;
    this.#wake.abort();
    await this.#finished;
    await this.#changes;
  }

  async #loop(): Promise<void> {
    while (!this.#detached) {
      // Made before the look, so that whatever happens after the look ends the wait.
      this.#wake = new AbortController();
      try {
        if (await this.#step()) return;
      } catch (error) {
        this.#around.log.error(
          { err: error, instance: this.#record.spec.id },
          'the supervisor of an instance failed; it goes on',
        );
        // Not ended by a wake-up: a failing disk would make this loop spin.
        await sleep(LIMITS.retryMs);
      }
    }
  }

  /** One look and one action. True when the instance is forgotten. */
  async #step(): Promise<boolean> {
    const { clock, store, times } = this.#around;
    const record = this.#record;
    const leaderAlive = this.#leaderAlive(record.run);
    const leftovers = record.run !== null && !leaderAlive ? membersOf(record.run, this.#around.bootId) : [];
    const alive = leaderAlive || leftovers.length > 0;
    const nowMs = clock.nowMs();
    const action = plan(
      record,
      { nowMs, alive, leaderAlive, image: this.#image, probeAtMs: this.#readiness.dueAtMs() },
      times,
    );
    if (action.do === 'forget') {
      await this.#changes;
      await store.remove(record.spec.id);
      this.#around.count('stopped');
      await this.#around.onForgotten(record.spec.id);
      return true;
    }
    if (action.do === 'signal') await this.#signal(record, action.signal, leaderAlive, leftovers);
    else if (action.do === 'settle') await this.#settle(record);
    else if (action.do === 'give-up') await this.#giveUp(record);
    else if (action.do === 'probe') await this.#probe(record);
    else if (action.do === 'pull' || action.do === 'start') {
      if (this.#held) await this.#pause(null);
      else if (action.do === 'pull') this.#pull(record);
      else await this.#start(record);
    } else await this.#pause(action.untilMs === null ? null : action.untilMs - nowMs, alive && !leaderAlive);
    return false;
  }

  /** Until something happens, or `ms` passed. Processes that are not our children are looked at often. */
  async #pause(ms: number | null, leftovers = false): Promise<void> {
    const foreign = this.#record.run !== null && this.#child?.marker !== this.#record.run.marker;
    const poll = leftovers ? LEFTOVER_POLL_MS : foreign ? LIMITS.adoptedPollMs : 60_000;
    await sleep(Math.max(1, Math.min(ms ?? poll, poll)), this.#wake.signal);
  }

  /** Our own child counts as alive until its exit was reported, so that the reason is known. */
  #leaderAlive(run: Run | null): boolean {
    if (run === null) return false;
    if (this.#child?.marker === run.marker) return this.#child.ended === null;
    return isAlive(run, this.#around.bootId);
  }

  async #signal(
    record: InstanceRecord,
    signal: 'SIGTERM' | 'SIGKILL',
    leaderAlive: boolean,
    leftovers: number[],
  ): Promise<void> {
    const { clock, log } = this.#around;
    if (record.ending !== null) {
      // Saved first: after a crash the grace goes on from the first SIGTERM.
      const nowMs = clock.nowMs();
      await this.change((now) => {
        if (now.ending === null) return now;
        const sent = signal === 'SIGTERM' ? { termSentAtMs: nowMs } : { killSentAtMs: nowMs };
        return { ...now, ending: { ...now.ending, ...sent } };
      });
    }
    log.info({ instance: record.spec.id, signal }, 'signal to instance');
    // The group of a living leader cannot be anybody else's.
    if (leaderAlive) signalAll([-record.run!.pid], signal);
    else signalAll(leftovers, signal);
    if (record.ending === null) await sleep(LEFTOVER_POLL_MS, this.#wake.signal);
  }

  async #settle(record: InstanceRecord): Promise<void> {
    const { clock, log, times } = this.#around;
    const ended = this.#child?.marker === record.run?.marker ? this.#child?.ended : null;
    const recycled = record.ending?.why === 'recycle';
    const sameBoot = record.run?.bootId === this.#around.bootId;
    const unseen = sameBoot
      ? 'ended while no agent was its parent'
      : 'ended with the machine, which has started anew';
    const how = (recycled ? record.reason : ended) ?? unseen;
    const output = record.ending === null ? await this.#lastWords() : '';
    await this.change((now) => settle(now, how, output, clock.nowMs(), times));
    this.#child = null;
    const { state, reason, nextStartAtMs } = this.#record;
    if (record.ending === null || record.ending.why === 'recycle')
      this.#around.count(state === 'failed' ? 'failed' : 'crash');
    log.warn({ instance: record.spec.id, state, reason, nextStartAtMs }, 'instance ended');
  }

  async #giveUp(record: InstanceRecord): Promise<void> {
    const waited = `not ready within ${record.spec.startTimeoutMs} ms: it ${this.#readiness.lastSeen()}`;
    const reason = withOutput(waited, await this.#lastWords());
    await this.change((now) => {
      if (now.ending !== null || now.run?.marker !== record.run?.marker) return now;
      return beginEnding(now, now.everReady ? 'recycle' : 'failed', reason);
    });
    this.#around.count('failed');
  }

  async #lastWords(): Promise<string> {
    return lastWords(await this.#around.logs.tail(this.#record.spec.id, LIMITS.reasonLines).catch(() => ''));
  }

  async #probe(record: InstanceRecord): Promise<void> {
    const found = await this.#readiness.look(record, this.#wake.signal);
    if (found === null) return;
    await this.change((now) => {
      if (now.ending !== null || now.run?.marker !== record.run?.marker) return now;
      if (!found.ready) return { ...now, state: 'unready', reason: `it ${found.problem}` };
      const readyAtMs = now.readyAtMs ?? this.#around.clock.nowMs();
      return { ...now, state: 'ready', reason: null, everReady: true, readyAtMs };
    });
    const { state, reason } = this.#record;
    this.#around.log.info({ instance: record.spec.id, state, reason }, 'readiness changed');
  }

  #pull(record: InstanceRecord): void {
    const { count, images } = this.#around;
    const { repository, digest } = record.spec;
    this.#image = 'pulling';
    images
      .pull(repository, digest)
      .then(
        () => {
          count('pulled');
          this.#image = 'ready';
        },
        async (error: Error) => {
          count('pull-failed');
          this.#image = 'needed';
          this.#pullTries += 1;
          await this.#startFailed(error, Math.min(LIMITS.retryMs * this.#pullTries, LIMITS.pullRetryLastMs));
        },
      )
      .catch((error: Error) => this.#around.log.error({ err: error }, 'a failed pull cannot be recorded'))
      .finally(() => this.#wake.abort());
  }

  async #start(record: InstanceRecord): Promise<void> {
    const { count, images, starter } = this.#around;
    let started: Started | null;
    try {
      // Set aside for another instance's sake: pull it again.
      if (!(await images.has(record.spec.digest))) {
        this.#image = 'needed';
        return;
      }
      const image = await verifiedImage(record, images);
      started = await starter(record, image, (prepare) => this.change(prepare));
    } catch (error) {
      this.#image = 'needed';
      if (isSlipwayError(error) && error.code === 'tampered' && !this.#around.runsElsewhere(record)) {
        await images.setAside(record.spec.digest).catch(() => {});
      }
      await this.#startFailed(error as Error, LIMITS.retryMs);
      return;
    }
    if (started === null) return;
    const { run, child } = started;
    const mine: Child = { marker: run.marker, ended: null };
    this.#child = mine;
    this.#readiness.reset();
    child.then((how) => {
      mine.ended = how;
      this.#wake.abort();
    });
    count('start');
  }

  /** Retryable failures are tried again after `retryMs`, until a first start comes too late; the others are the end. */
  async #startFailed(error: Error, retryMs: number): Promise<void> {
    const { clock, log, count } = this.#around;
    const { everReady, acceptedAtMs, spec } = this.#record;
    const known = isSlipwayError(error);
    const failure = known ? error : new SlipwayError('internal', error.message, { cause: error });
    const late = !everReady && clock.nowMs() - acceptedAtMs >= spec.startTimeoutMs;
    const final = late || !failure.retryable;
    const reason = `${failure.code}: ${failure.message}`;
    log.warn(
      { instance: spec.id, reason, final, ...(known ? {} : { err: error }) },
      'an instance cannot be started',
    );
    if (final) count('failed');
    await this.change((now) => {
      if (now.ending !== null) return now;
      if (final) return { ...now, state: 'failed', reason };
      return { ...now, reason, nextStartAtMs: clock.nowMs() + retryMs };
    });
  }
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
