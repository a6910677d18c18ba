/** Seeded draws, so that every figure can be had again: a run is a seed. */
export interface Random {
  uniform(): number;
  normal(): number;
  poisson(mean: number): number;
  binomial(n: number, p: number): number;
  /** 1, 2, 3 ... with this mean. */
  geometric(mean: number): number;
}

/** sfc32 (Chris Doty-Humphrey's small fast counter), 12 rounds of warming up. */
export function seeded(seed: number): Random {
  let [a, b, c, d] = [seed | 0, (seed ^ 0x9e3779b9) | 0, 0x243f6a88 | 0, 1];
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) next();
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const poisson = (mean: number): number => {
    if (mean <= 0) return 0;
    // Far above the tail that matters here, the rounded normal is as good as exact.
    if (mean > 80) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()));
    const limit = Math.exp(-mean);
    let product = next();
    let k = 0;
    while (product > limit) {
      product *= next();
      k++;
    }
    return k;
  };
  const binomial = (n: number, p: number): number => {
    if (n <= 0 || p <= 0) return 0;
    if (p >= 1) return n;
    if (p > 0.5) return n - binomial(n, 1 - p);
    const mean = n * p;
    if (mean > 80) {
      return Math.min(n, Math.max(0, Math.round(mean + Math.sqrt(mean * (1 - p)) * normal())));
    }
    // Geometric gaps between hits: exact, about n * p steps.
    const logMiss = Math.log1p(-p);
    let hits = 0;
    let at = Math.floor(Math.log(1 - next()) / logMiss);
    while (at < n) {
      hits++;
      at += 1 + Math.floor(Math.log(1 - next()) / logMiss);
    }
    return hits;
  };
  const geometric = (mean: number) =>
    mean <= 1 ? 1 : 1 + Math.floor(Math.log(1 - next()) / Math.log(1 - 1 / mean));
  return { uniform: next, normal, poisson, binomial, geometric };
}
