import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceSpec, LaneRoute } from '../../../kernel/dataplane.ts';
import { SlipwayError } from '../../../kernel/errors.ts';
import { instanceOf, OLD, TEMPLATE } from '../rollout.testing.ts';
import { type HostAgent, type LaneRouter, processTarget } from './process.ts';

const runtime = {
  listen: { host: '127.0.0.1', port: 8_080 },
  match: [],
  sticky: { cookie: 'v', ttlS: 60 },
  versions: { [OLD]: TEMPLATE },
};

function parts(more: { agentAway?: boolean; lanesAway?: readonly string[] } = {}) {
  const put: InstanceSpec[] = [];
  const removed: [string, number][] = [];
  const applied: LaneRoute[] = [];
  const away = () => new SlipwayError('unreachable', 'away');
  const agent: HostAgent = {
    async list() {
      if (more.agentAway) throw away();
      return [instanceOf('a', OLD), instanceOf('b', OLD, { lane: 'other/prod' })];
    },
    async put(spec) {
      put.push(spec);
    },
    async remove(id, fence) {
      removed.push([id, fence]);
    },
  };
  const router: LaneRouter = {
    async get(lane) {
      if (more.lanesAway?.includes(lane)) throw away();
      return null;
    },
    async apply(route) {
      applied.push(route);
    },
  };
  return { target: processTarget(agent, router), put, removed, applied };
}

test('each lane sees its own instances; one the router cannot tell of is blind alone, without the agent all are', async () => {
  const both = ['shop/prod', 'other/prod'] as const;
  const seen = await parts().target.observe(both);
  assert.deepEqual(
    seen.get('shop/prod')?.instances.map(({ id }) => id),
    ['a'],
  );
  assert.deepEqual(seen.get('other/prod'), {
    instances: [instanceOf('b', OLD, { lane: 'other/prod' })],
    route: null,
    inFlight: {},
  });
  assert.deepEqual(
    [...(await parts({ lanesAway: ['shop/prod'] }).target.observe(both)).keys()],
    ['other/prod'],
  );
  assert.equal((await parts({ agentAway: true }).target.observe(both)).size, 0);
});

test('orders carry the fence, and what the version and the lane decide', async () => {
  const { target, put, removed, applied } = parts();
  const order = { lane: 'shop/prod', fence: 7, runtime } as const;
  await target.perform({
    ...order,
    action: { kind: 'start-instance', id: 'x-c1', group: 'canary', digest: OLD },
  });
  assert.deepEqual(put, [{ ...TEMPLATE, id: 'x-c1', lane: 'shop/prod', fence: 7, digest: OLD }]);
  await target.perform({ ...order, action: { kind: 'stop-instance', id: 'x-c1' } });
  assert.deepEqual(removed, [['x-c1', 7]]);
  const weights = { stable: 100, baseline: 0, canary: 0 };
  const match = [{ header: { name: 'x', value: '1' }, group: 'canary' as const }];
  await target.perform({ ...order, action: { kind: 'route', weights, backends: [], mirror: null, match } });
  const { listen, sticky } = runtime;
  assert.deepEqual(applied, [
    { lane: 'shop/prod', fence: 7, listen, weights, backends: [], match, sticky, mirror: null },
  ]);
  const unknown = { kind: 'start-instance', id: 'y', group: 'canary', digest: 'sha256:00' } as const;
  await assert.rejects(target.perform({ ...order, action: unknown }), /no runtime is recorded/);
});
