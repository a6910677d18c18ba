import { computesSteps } from './analysis-schema.ts';
import { type Placed, type Problems, problem } from './problem.ts';
import { duplicates } from './service-check.ts';
import type { StrategyDocument } from './strategy-schema.ts';
import type { YamlDocument } from './yaml-reader.ts';

/** What the shape of a strategy cannot say. */
export function checkStrategy({ value, at }: Placed<StrategyDocument>): Problems {
  const problems: Problems = [];
  value.steps.forEach((step, index) => {
    const before = value.steps[index - 1];
    if (before && step.weight <= before.weight) {
      const message = `weight: expected more than the ${before.weight}% of the step before, got ${step.weight}%`;
      problems.push(problem(at, ['steps', index, 'weight'], message, 'Weights rise from step to step.'));
    }
    if (step.require === 'pass' && !value.analysis) {
      const hint = 'Add "analysis:", or require no-fail.';
      problems.push(
        problem(at, ['steps', index, 'require'], 'require: pass needs an analysis that can pass', hint),
      );
    }
    if (step.for > step.deadline) {
      const hint = 'A step lasts at least "for" and at most "deadline".';
      problems.push(problem(at, ['steps', index], 'for: expected at most the deadline of the step', hint));
    }
  });
  const least = value.steps.reduce((sum, step) => sum + step.for, 0);
  if (least >= value.progressDeadline) {
    const hint = `The steps alone last ${least / 1000} s.`;
    problems.push(
      problem(at, ['progressDeadline'], 'progressDeadline: expected more than all steps together', hint),
    );
  }
  return [...problems, ...checkAnalysis(value, at), ...checkBudget(value, at), ...checkRouting(value, at)];
}

function checkAnalysis({ analysis }: StrategyDocument, at: YamlDocument): Problems {
  if (!analysis) return [];
  const problems: Problems = [];
  for (const index of duplicates(analysis.latency.map((metric) => metric.quantile))) {
    problems.push(
      problem(at, ['analysis', 'latency', index], 'this quantile stands twice', 'Remove one of them.'),
    );
  }
  const metrics = [...(analysis.errors === false ? [] : [analysis.errors]), ...analysis.latency];
  if (metrics.length === 0) {
    return [
      ...problems,
      problem(at, ['analysis'], 'the analysis compares nothing', 'Keep errors, or add a latency quantile.'),
    ];
  }
  const weights = metrics.flatMap((metric) => (metric.weight === undefined ? [] : [metric.weight]));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (weights.length > 0 && (weights.length < metrics.length || Math.abs(sum - 1) > 1e-9)) {
    const hint = `Give every metric a weight, together 1, or none. They sum to ${Number(sum.toFixed(6))}.`;
    problems.push(problem(at, ['analysis'], 'analysis: the weights must sum to 1', hint));
  }
  if (weights.some((weight) => weight === 0)) {
    problems.push(
      problem(at, ['analysis'], 'a weight of 0 can never fail', 'Leave the metric out, or give it a share.'),
    );
  }
  return problems;
}

function checkBudget({ analysis, steps, type }: StrategyDocument, at: YamlDocument): Problems {
  if (!analysis) return [];
  const problems: Problems = [];
  const add = (path: string[], message: string, hint: string) =>
    problems.push(problem(at, ['analysis', ...path], message, hint));
  const computed = computesSteps(analysis);
  if (analysis.guard === true && (computed || !steps.every((step) => step.require === 'pass'))) {
    const hint = 'Only a step with require: pass holds its weight while the guard waits.';
    add(['guard'], 'guard: expected every step to require a pass', hint);
  }
  const { budget } = analysis;
  if (!budget) return problems;
  if (budget.objective >= 100 || budget.objective <= 0) {
    const hint = 'An objective of 100% leaves no error budget to spend a share of.';
    add(['budget', 'objective'], 'objective: expected more than 0% and less than 100%', hint);
  }
  if (budget.share <= 0) {
    add(['budget', 'share'], 'share: expected more than 0%', 'Nothing could ever be released.');
  }
  if (budget.harm === 0) add(['budget', 'harm'], 'harm: expected more than 0%', 'Such as 100%.');
  if (budget.harm !== undefined && !computed) {
    add(['budget', 'harm'], 'harm is for computed steps', 'Add "steps: from-traffic", or remove it.');
  }
  if (computed && (type !== 'canary' || steps.length === 0)) {
    const hint = 'Use type: canary, with the steps for the time when the traffic is not known.';
    add(['budget', 'steps'], 'steps: from-traffic needs a canary with steps of its own', hint);
  }
  if (computed && analysis.errors === false) {
    const hint = 'How soon a bad version is found is reckoned from its errors.';
    add(['budget', 'steps'], 'steps: from-traffic needs the errors to be compared', hint);
  }
  return problems;
}

function checkRouting({ routing }: StrategyDocument, at: YamlDocument): Problems {
  if (!routing) return [];
  const problems: Problems = [];
  routing.match.forEach((rule, index) => {
    if (rule.header === undefined && rule.cookie === undefined) {
      const hint = 'Such as { header: { name: x-canary, value: always } }.';
      problems.push(problem(at, ['routing', 'match', index], 'expected a header or a cookie', hint));
    }
    if (rule.cookie !== undefined && rule.cookie.name === routing.sticky?.cookie) {
      const message = `the cookie "${rule.cookie.name}" is the one that keeps visitors with their version`;
      const hint = 'The router writes that one; match another.';
      problems.push(problem(at, ['routing', 'match', index, 'cookie', 'name'], message, hint));
    }
  });
  for (const index of duplicates(routing.match.map((rule) => JSON.stringify(rule)))) {
    problems.push(problem(at, ['routing', 'match', index], 'this match stands twice', 'Remove one of them.'));
  }
  return problems;
}
