import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  retainSearchParams,
  type SearchSchemaInput,
} from '@tanstack/react-router';
import { MatrixPage } from './matrix/page.tsx';
import { NotFound } from './shell/not-found.tsx';
import { PageFailure } from './shell/page-failure.tsx';
import { Shell } from './shell/shell.tsx';

/** The URL holds the whole view. Anything may stand in an address, so every part of it is read with a bound. */

const MAX_TEXT = 300;

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_TEXT) : undefined;
}

/** The router parses what looks like JSON: a search for `42` arrives as a number. */
function words(value: unknown): string | undefined {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : text(value);
}

function oneOf<Value extends string>(value: unknown, allowed: readonly Value[]): Value | undefined {
  return allowed.find((candidate) => candidate === value);
}

function index(value: unknown): number | undefined {
  const n = Number(value);
  return value !== undefined && Number.isSafeInteger(n) && n >= 0 ? n : undefined;
}

type Input = Record<string, unknown> & SearchSchemaInput;

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NotFound,
  validateSearch: (search: Input): { tz?: 'utc' | 'local' } => {
    const tz = oneOf(search.tz, ['utc', 'local']);
    return tz === undefined ? {} : { tz };
  },
  search: { middlewares: [retainSearchParams(['tz'])] },
});

export const SHOW = ['moving', 'waiting', 'trouble', 'behind'] as const;
export type Show = (typeof SHOW)[number];

const matrix = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: MatrixPage,
  validateSearch: (search: Input): { q?: string; show?: Show } => ({
    q: words(search.q),
    show: oneOf(search.show, SHOW),
  }),
});

const login = createRoute({ getParentRoute: () => root, path: '/login', component: () => null });

const rollouts = createRoute({
  getParentRoute: () => root,
  path: '/rollouts',
  component: lazyRouteComponent(() => import('./rollout/list-page.tsx'), 'RolloutsPage'),
  validateSearch: (search: Input): { service?: string; environment?: string; active?: 'true' } => ({
    service: words(search.service),
    environment: words(search.environment),
    active: oneOf(words(search.active), ['true']),
  }),
});

const rollout = createRoute({
  getParentRoute: () => root,
  path: '/rollouts/$rollout',
  component: lazyRouteComponent(() => import('./rollout/page.tsx'), 'RolloutPage'),
});

const service = createRoute({
  getParentRoute: () => root,
  path: '/services/$service',
  component: lazyRouteComponent(() => import('./service/page.tsx'), 'ServicePage'),
  validateSearch: (search: Input): { environment?: string; tab?: 'releases' | 'rollouts' | 'builds' } => ({
    environment: words(search.environment),
    tab: oneOf(search.tab, ['releases', 'rollouts', 'builds']),
  }),
});

const release = createRoute({
  getParentRoute: () => root,
  path: '/releases/$release',
  component: lazyRouteComponent(() => import('./release/page.tsx'), 'ReleasePage'),
});

const build = createRoute({
  getParentRoute: () => root,
  path: '/builds/$build',
  component: lazyRouteComponent(() => import('./build/page.tsx'), 'BuildPage'),
  validateSearch: (search: Input): { step?: string; q?: string; line?: number } => ({
    step: words(search.step),
    q: words(search.q),
    line: index(search.line),
  }),
});

export const ARTIFACT_TABS = ['evidence', 'components', 'decisions'] as const;

const artifact = createRoute({
  getParentRoute: () => root,
  path: '/artifacts/$digest',
  component: lazyRouteComponent(() => import('./artifact/page.tsx'), 'ArtifactPage'),
  validateSearch: (search: Input): { tab?: (typeof ARTIFACT_TABS)[number]; q?: string } => ({
    tab: oneOf(search.tab, ARTIFACT_TABS),
    q: words(search.q),
  }),
});

const approvals = createRoute({
  getParentRoute: () => root,
  path: '/approvals',
  component: lazyRouteComponent(() => import('./approvals/page.tsx'), 'ApprovalsPage'),
});

const ledger = createRoute({
  getParentRoute: () => root,
  path: '/ledger',
  component: lazyRouteComponent(() => import('./ledger/page.tsx'), 'LedgerPage'),
  validateSearch: (
    search: Input,
  ): { kind?: string; service?: string; environment?: string; subject?: string; from?: number } => ({
    kind: words(search.kind),
    service: words(search.service),
    environment: words(search.environment),
    subject: words(search.subject),
    from: index(search.from),
  }),
});

const entry = createRoute({
  getParentRoute: () => root,
  path: '/ledger/$index',
  component: lazyRouteComponent(() => import('./ledger/entry-page.tsx'), 'EntryPage'),
});

const policies = createRoute({
  getParentRoute: () => root,
  path: '/policies',
  component: lazyRouteComponent(() => import('./policies/page.tsx'), 'PoliciesPage'),
  validateSearch: (search: Input): { service?: string; environment?: string; decision?: string } => ({
    service: words(search.service),
    environment: words(search.environment),
    decision: words(search.decision),
  }),
});

const why = createRoute({
  getParentRoute: () => root,
  path: '/why',
  component: lazyRouteComponent(() => import('./why/page.tsx'), 'WhyPage'),
  validateSearch: (search: Input): { subject?: string } => ({ subject: words(search.subject) }),
});

export const router = createRouter({
  routeTree: root.addChildren([
    matrix,
    login,
    rollouts,
    rollout,
    service,
    release,
    build,
    artifact,
    approvals,
    ledger,
    entry,
    policies,
    why,
  ]),
  defaultPreload: 'intent',
  pathParamsAllowedCharacters: [':'],
  scrollRestoration: true,
  defaultErrorComponent: PageFailure,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
