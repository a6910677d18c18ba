import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AnalysisSpec } from '../../kernel/rollout.ts';
import { type Analysis, type AnalysisState, analyze } from './plan.ts';
import { ERRORS_ONLY, type Load, NEW, OLD, SPEC, Traffic } from './traffic.testing.ts';

const HEALTHY: Load = { rps: 50, errors: 0.002 };

/** A lane of three stable instances with history, one baseline and one canary just started. */
function lane(): Traffic {
  const traffic = new Traffic().add('s1', 'stable').add('s2', 'stable').add('s3', 'stable');
  return traffic.run(120, { stable: HEALTHY }).add('b1', 'baseline').add('c1', 'canary');
}

class Watch {
  state: AnalysisState | null = null;
  last: Analysis | null = null;
  readonly verdicts: string[] = [];
  readonly traffic: Traffic;
  readonly spec: AnalysisSpec;
  constructor(traffic: Traffic, spec: AnalysisSpec) {
    this.traffic = traffic;
    this.spec = spec;
  }
  look(lateMs = 200): Analysis {
    const { traffic, spec } = this;
    this.last = analyze(spec, this.state, traffic.snapshot(), traffic.atMs + lateMs);
    // Every look goes through JSON, as the worker's does.
    this.state =
      this.last.state === null ? null : (JSON.parse(JSON.stringify(this.last.state)) as AnalysisState);
    this.verdicts.push(this.last.verdict);
    return this.last;
  }
  /** One look a second until the verdict is `until`, or the time is over. */
  run(seconds: number, loads: Readonly<Record<string, Load>>, until?: string): Analysis {
    for (let i = 0; i < seconds; i++) {
      this.traffic.run(1, loads);
      const { verdict } = this.look();
      if (verdict === until) break;
    }
    assert.ok(this.last);
    return this.last;
  }
}

function started(spec: AnalysisSpec = ERRORS_ONLY): Watch {
  const watch = new Watch(lane(), spec);
  watch.look();
  watch.traffic.canaryWeight = 20;
  return watch;
}

const EQUAL = { stable: HEALTHY, baseline: HEALTHY, canary: HEALTHY };

test('a canary like its baseline passes, and says so in words', () => {
  const watch = started(SPEC);
  const { verdict, reason } = watch.run(600, EQUAL, 'pass');
  assert.equal(verdict, 'pass');
  assert.ok(!watch.verdicts.includes('fail'));
  assert.match(
    reason,
    /^no worse than the baseline: errors: canary 0\.\d % of [\d,]+ against baseline 0\.\d % of [\d,]+ \(evidence/,
  );
});

test('a canary with 4 % errors fails within a minute, and the fail stands whatever comes after', () => {
  const watch = started();
  const { reason } = watch.run(60, { ...EQUAL, canary: { rps: 50, errors: 0.04 } }, 'fail');
  assert.equal(watch.last?.verdict, 'fail');
  assert.match(
    reason,
    /^errors: canary \d\.\d % of [\d,]+ against baseline 0\.\d % of [\d,]+; evidence \d+\.\d of \d+\.\d needed$/,
  );
  const after = watch.run(30, EQUAL);
  assert.equal(after.verdict, 'fail');
  assert.equal(after.reason, reason);
  assert.equal(analyze(ERRORS_ONLY, watch.state, null, watch.traffic.atMs).verdict, 'fail');
});

test('a slower tail fails at the frozen edge, with the latency named', () => {
  const watch = started(SPEC);
  const last = watch.run(120, { ...EQUAL, canary: { ...HEALTHY, slow: 0.06 } }, 'fail');
  assert.equal(last.verdict, 'fail');
  assert.match(
    last.reason,
    /^latency p99: canary \d\.\d % of [\d,]+ slower than \d+ ms against baseline 1\.0 %/,
  );
  const edge = last.evidence?.metrics[1]?.edgeS;
  assert.ok(edge && edge >= 0.02 && edge < 0.3);
});

test('no counters, old counters and a clock ahead are no data, never a pass', () => {
  const watch = started();
  watch.run(600, EQUAL, 'pass');
  assert.equal(watch.last?.verdict, 'pass');
  const { atMs } = watch.traffic;
  const none = analyze(ERRORS_ONLY, watch.state, null, atMs);
  assert.deepEqual(
    [none.verdict, none.reason, none.evidence],
    ['no-data', 'the data plane gave no counters', null],
  );
  const old = analyze(ERRORS_ONLY, watch.state, watch.traffic.snapshot(), atMs + 10_001);
  assert.deepEqual([old.verdict, old.reason], ['no-data', 'the newest counters are more than 10 s old']);
  const ahead = analyze(ERRORS_ONLY, watch.state, watch.traffic.snapshot(), atMs - 12_000);
  assert.equal(ahead.verdict, 'no-data');
  assert.match(ahead.reason, /clock is more than 10 s ahead/);
  // Nothing was lost: the next good look is a pass again.
  assert.equal(watch.run(1, EQUAL).verdict, 'pass');
});

test('a canary with traffic but no baseline traffic is no data, at once and after it was there', () => {
  const never = started();
  assert.equal(never.run(60, { canary: HEALTHY }).verdict, 'no-data');
  assert.match(never.last?.reason ?? '', /baseline has had no traffic/);
  const gone = started();
  gone.run(600, EQUAL, 'pass');
  assert.equal(gone.run(30, { canary: HEALTHY }).verdict, 'no-data');
  assert.match(gone.last?.reason ?? '', /baseline has had no traffic for \d+ s while the canary has/);
});

test('no canary traffic is no data: at first, and when it stops', () => {
  const watch = started();
  assert.deepEqual(
    watch.run(10, { stable: HEALTHY, baseline: HEALTHY }).reason,
    'the canary has had no traffic',
  );
  watch.run(600, EQUAL, 'pass');
  const { verdict, reason } = watch.run(90, { stable: HEALTHY, baseline: HEALTHY });
  assert.equal(verdict, 'no-data');
  assert.match(reason, /canary has had no traffic for/);
});

test('looks without canary requests are pooled: seldom traffic adds up to the same counts', () => {
  const watch = started();
  for (let i = 0; i < 40; i++) {
    watch.run(4, { stable: HEALTHY, baseline: HEALTHY });
    watch.run(1, { ...EQUAL, canary: { rps: 1 } });
  }
  const { canary, baseline } = watch.last?.evidence?.metrics[0] ?? assert.fail();
  // The first request fell into the warm-up.
  assert.equal(canary.requests, 39);
  // Two looks against the stable instances, until the baseline was warm.
  assert.equal(baseline.requests, 2 * 150 + 198 * 50);
  assert.equal(watch.last?.verdict, 'inconclusive');
  const process = watch.state?.metrics[0]?.fail;
  assert.deepEqual(process?.pending, [0, 0, 0, 0]);
});

test('the first seconds of a fresh instance are left out, in both arms', () => {
  const watch = started({ ...ERRORS_ONLY, warmupS: 10 });
  const cold = watch.run(10, { ...EQUAL, canary: { rps: 50, errors: 1 } });
  assert.equal(cold.verdict, 'no-data');
  assert.match(cold.reason, /warming up/);
  assert.notEqual(watch.run(60, EQUAL).verdict, 'fail');
  assert.equal(watch.last?.evidence?.metrics[0]?.canary.bad, 6);
});

test('counters that start anew are counted from zero: an instance, or the whole router', () => {
  const watch = started();
  watch.run(20, EQUAL);
  const bad = () => watch.last?.evidence?.metrics[0]?.canary.requests ?? 0;
  const before = bad();
  watch.traffic.reset('c1').run(1, EQUAL);
  watch.look();
  assert.equal(bad(), before + 50);
  watch.traffic.reboot().run(1, EQUAL);
  watch.look();
  assert.equal(bad(), before + 100);
  watch.traffic.remove('c1').add('c2', 'canary');
  watch.run(5, EQUAL);
  // A replaced instance is fresh: its warm-up is left out again.
  assert.equal(bad(), before + 100 + 3 * 50);
});

test('counters that are not counts are no data for that instance', () => {
  const watch = started();
  watch.run(10, EQUAL);
  const before = watch.last?.evidence?.metrics[0]?.canary.requests;
  watch.traffic.run(1, EQUAL);
  const snapshot = watch.traffic.snapshot();
  const broken = snapshot.backends.map((one) => (one.id === 'c1' ? { ...one, requests: Number.NaN } : one));
  const { evidence } = analyze(ERRORS_ONLY, watch.state, { ...snapshot, backends: broken }, snapshot.atMs);
  assert.equal(evidence?.metrics[0]?.canary.requests, before);
});

test('after the promotion the new version is not compared with itself', () => {
  const watch = started();
  watch.run(30, EQUAL);
  const control = watch.last?.evidence?.metrics[0]?.baseline.requests;
  watch.traffic
    .remove('s1')
    .remove('s2')
    .remove('s3')
    .remove('b1')
    .regroup('c1', 'stable')
    .add('n1', 'stable', NEW);
  const { verdict } = watch.run(30, EQUAL);
  assert.equal(verdict, 'no-data');
  assert.equal(watch.last?.evidence?.metrics[0]?.baseline.requests, control);
});

test('without baseline instances, or while they are cold, the stable ones are the control', () => {
  const traffic = new Traffic()
    .add('s1', 'stable')
    .add('s2', 'stable')
    .run(60, { stable: HEALTHY })
    .add('c1', 'canary');
  const watch = new Watch(traffic, ERRORS_ONLY);
  watch.look();
  assert.equal(watch.run(10, EQUAL).evidence?.metrics[0]?.baseline.requests, 1000);
  traffic.add('b1', 'baseline');
  watch.run(10, EQUAL);
  // Two cold seconds and the look at which the first requests were seen count the stable instances, the rest the baseline.
  assert.equal(watch.last?.evidence?.metrics[0]?.baseline.requests, 1000 + 2 * 100 + 8 * 50);
});

test('the same counters twice change nothing, and older ones are ignored', () => {
  const watch = started();
  watch.run(20, EQUAL);
  const again = analyze(ERRORS_ONLY, watch.state, watch.traffic.snapshot(), watch.traffic.atMs + 900);
  assert.equal(again.state, watch.state);
  assert.equal(again.evidence, null);
  assert.equal(again.verdict, watch.last?.verdict);
});

test('a spec without a deciding metric never passes', () => {
  const spec = { ...SPEC, errors: null, latency: [] };
  const watch = new Watch(lane(), spec);
  assert.equal(watch.run(60, EQUAL).verdict, 'no-data');
});

test('an A/A rollout of the same digest still has two arms', () => {
  const traffic = new Traffic()
    .add('s1', 'stable')
    .add('s2', 'stable')
    .run(60, { stable: HEALTHY })
    .add('c1', 'canary', OLD);
  const watch = new Watch(traffic, ERRORS_ONLY);
  watch.look();
  assert.equal(
    watch.run(120, { stable: HEALTHY, canary: { rps: 50, errors: 0.06 } }, 'fail').verdict,
    'fail',
  );
});

test('a defect within the margin of a pass is not passed while its proof grows', () => {
  const wide = { weight: 1, failRho: 1.1, failDelta: 1e-4, passRho: 1.5, passDelta: 0.1 };
  const watch = started({ ...ERRORS_ONLY, errors: wide });
  watch.run(240, { ...EQUAL, canary: { rps: 50, errors: 0.03 } }, 'fail');
  assert.equal(watch.verdicts.at(-1), 'fail', watch.last?.reason);
  assert.ok(!watch.verdicts.includes('pass'));
  const metric = watch.last?.evidence?.metrics[0];
  assert.ok(
    metric && metric.pass.logE > metric.pass.threshold,
    'though the wide margin would have allowed it',
  );
});

test('the state stays bounded over an hour of an odd fleet', () => {
  const watch = new Watch(lane(), SPEC);
  watch.look();
  for (let i = 0; i < 240; i++) {
    watch.traffic
      .add(`c-${i}`, 'canary')
      .add(`s-${i}`, 'stable')
      .remove(`c-${i - 3}`)
      .remove(`s-${i - 3}`);
    watch.run(1, EQUAL);
    watch.traffic.run(14, EQUAL);
  }
  const size = JSON.stringify(watch.state).length;
  assert.ok(size < 200_000, `${size} bytes`);
});

test('law: a crash at any look continues exactly, and no traffic breaks the reducer', () => {
  const step = fc.record({
    seconds: fc.constantFrom(1, 5, 60, 400),
    canary: fc.record({
      rps: fc.integer({ min: 0, max: 300 }),
      errors: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    control: fc.record({
      rps: fc.integer({ min: 0, max: 300 }),
      errors: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    event: fc.constantFrom('none', 'none', 'none', 'reboot', 'reset', 'replace', 'step', 'blind'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const traffic = lane();
      let live: AnalysisState | null = null;
      let replayed: AnalysisState | null = null;
      steps.forEach(({ seconds, canary, control, event }, i) => {
        if (event === 'reboot') traffic.reboot();
        if (event === 'reset') traffic.reset('c1');
        if (event === 'replace') traffic.remove('b1').add(`b-${i}`, 'baseline');
        if (event === 'step') traffic.canaryWeight = (traffic.canaryWeight + 10) % 100;
        traffic.run(seconds, { canary, stable: control, baseline: control });
        const snapshot = event === 'blind' ? null : traffic.snapshot();
        const frozen = JSON.stringify(live);
        const now: Analysis = analyze(SPEC, live, snapshot, traffic.atMs);
        assert.equal(JSON.stringify(live), frozen, 'the state handed in is not touched');
        const other: Analysis = analyze(SPEC, replayed, snapshot, traffic.atMs);
        live = now.state;
        replayed = other.state === null ? null : (JSON.parse(JSON.stringify(other.state)) as AnalysisState);
        assert.deepEqual(JSON.parse(JSON.stringify(now)), JSON.parse(JSON.stringify(other)));
        if (event === 'blind' && now.verdict !== 'fail') assert.equal(now.verdict, 'no-data');
        for (const metric of now.evidence?.metrics ?? []) {
          assert.ok(Number.isFinite(metric.fail.logE) && Number.isFinite(metric.pass.logE));
          assert.ok(Number.isFinite(metric.fail.threshold));
        }
      });
    }),
    { numRuns: 60, seed: 5 },
  );
});
