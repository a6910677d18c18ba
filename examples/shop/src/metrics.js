const EDGES_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Request counts and latencies in the Prometheus text format. Labels come from the route table, never from the request. */
export function createMetrics(version) {
  const requests = new Map();
  const latencies = new Map();
  let inFlight = 0;
  return {
    began() {
      inFlight++;
    },
    ended(route, status, seconds) {
      inFlight--;
      const key = `route="${route}",status="${status}"`;
      requests.set(key, (requests.get(key) ?? 0) + 1);
      let histogram = latencies.get(route);
      if (histogram === undefined) {
        histogram = { buckets: new Array(EDGES_S.length).fill(0), count: 0, sum: 0 };
        latencies.set(route, histogram);
      }
      const at = EDGES_S.findIndex((edge) => seconds <= edge);
      if (at >= 0) histogram.buckets[at]++;
      histogram.count++;
      histogram.sum += seconds;
    },
    inFlight: () => inFlight,
    text() {
      const lines = [
        '# HELP shop_info The version that answers.',
        '# TYPE shop_info gauge',
        `shop_info{version="${version}"} 1`,
        '# HELP shop_requests_in_flight Requests under way.',
        '# TYPE shop_requests_in_flight gauge',
        `shop_requests_in_flight ${inFlight}`,
        '# HELP shop_requests_total Requests answered.',
        '# TYPE shop_requests_total counter',
        ...[...requests].map(([labels, count]) => `shop_requests_total{${labels}} ${count}`),
        '# HELP shop_request_duration_seconds Time to answer.',
        '# TYPE shop_request_duration_seconds histogram',
      ];
      for (const [route, { buckets, count, sum }] of latencies) {
        let below = 0;
        buckets.forEach((n, i) => {
          below += n;
          lines.push(`shop_request_duration_seconds_bucket{route="${route}",le="${EDGES_S[i]}"} ${below}`);
        });
        lines.push(
          `shop_request_duration_seconds_bucket{route="${route}",le="+Inf"} ${count}`,
          `shop_request_duration_seconds_sum{route="${route}"} ${sum}`,
          `shop_request_duration_seconds_count{route="${route}"} ${count}`,
        );
      }
      return `${lines.join('\n')}\n`;
    },
  };
}
