import { LATENCY_EDGES_S } from '../kernel/dataplane.ts';
import { splitLane } from '../kernel/ids.ts';
import type { LaneRuntime, VersionTotals } from './lane.ts';

/** Prometheus text format 0.0.4. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Readonly<Record<string, string | number>>;

/** The router's figures by lane, version and group. Names and units follow Prometheus' conventions. */
export function renderMetrics(lanes: readonly LaneRuntime[]): string {
  const all = lanes.flatMap((lane) => [...lane.versions.values()].map((version) => ({ lane, version })));
  const each = (lines: (labels: Labels, version: VersionTotals) => string[]) =>
    all.flatMap(({ lane, version }) => lines(versionLabels(lane, version), version));
  const perLane = (name: string, value: (lane: LaneRuntime) => number) =>
    lanes.map((lane) => sample(name, laneLabels(lane), value(lane)));
  return [
    ...family('slipway_router_requests_total', 'counter', 'Requests answered or failed, by class of status.'),
    ...each(requestLines),
    ...family(
      'slipway_router_errors_total',
      'counter',
      'Status 5xx, failed connections, time-outs, cut answers.',
    ),
    ...each((labels, { counters }) => [sample('slipway_router_errors_total', labels, counters.errors)]),
    ...family(
      'slipway_router_request_duration_seconds',
      'histogram',
      'From the hand-over to the end of the answer.',
    ),
    ...each(histogramLines),
    ...family('slipway_router_requests_in_flight', 'gauge', 'Requests and tunnels under way, by instance.'),
    ...lanes.flatMap((lane) =>
      Object.entries(lane.inFlight()).map(([instance, count]) =>
        sample('slipway_router_requests_in_flight', { ...laneLabels(lane), instance }, count),
      ),
    ),
    ...family(
      'slipway_router_unrouted_requests_total',
      'counter',
      'Requests the router answered with 502, 503 or 504.',
    ),
    ...perLane('slipway_router_unrouted_requests_total', (lane) => lane.unrouted),
    ...family('slipway_router_weight_percent', 'gauge', 'Share of the traffic a group is given.'),
    ...lanes.flatMap((lane) =>
      Object.entries(lane.route?.weights ?? {}).map(([group, weight]) =>
        sample('slipway_router_weight_percent', { ...laneLabels(lane), group }, weight),
      ),
    ),
    '',
  ].join('\n');
}

function requestLines(labels: Labels, { counters }: VersionTotals): string[] {
  const classes = Array.from(counters.statusClasses.subarray(1), (count, i) => ({
    code: `${i + 1}xx`,
    count,
  }));
  const answered = classes.reduce((sum, { count }) => sum + count, 0);
  return [...classes, { code: 'none', count: counters.requests - answered }].map(({ code, count }) =>
    sample('slipway_router_requests_total', { ...labels, code }, count),
  );
}

function histogramLines(labels: Labels, { counters }: VersionTotals): string[] {
  const name = 'slipway_router_request_duration_seconds';
  let below = 0;
  const buckets = LATENCY_EDGES_S.map((edge, i) => {
    below += counters.latency[i]!;
    return sample(`${name}_bucket`, { ...labels, le: edge }, below);
  });
  return [
    ...buckets,
    sample(`${name}_bucket`, { ...labels, le: '+Inf' }, counters.requests),
    sample(`${name}_sum`, labels, counters.latencySumS),
    sample(`${name}_count`, labels, counters.requests),
  ];
}

function laneLabels(lane: LaneRuntime): Labels {
  return splitLane(lane.name);
}

function versionLabels(lane: LaneRuntime, version: VersionTotals): Labels {
  return { ...laneLabels(lane), digest: version.digest, group: version.group };
}

function family(name: string, type: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function sample(name: string, labels: Labels, value: number): string {
  const text = Object.entries(labels).map(
    ([label, content]) => `${label}="${String(content).replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n')}"`,
  );
  return `${name}{${text.join(',')}} ${value}`;
}
