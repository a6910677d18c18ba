-- The foundation: what is released, what runs, what waits, and the ledger under it.
-- Times are written by the program (clock as an argument), so columns carry no default for them.

create table settings (
  key text primary key,
  value jsonb not null
);

create table platform_revisions (
  digest text primary key,
  document jsonb not null,
  files jsonb not null,
  commit_sha text,
  applied_by text not null,
  applied_at timestamptz not null
);

create table tokens (
  id text primary key,
  name text not null,
  secret_hash text not null unique,
  roles text[] not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz
);

create table services (
  name text primary key,
  repository_url text not null,
  branch text not null,
  hook_secret_sealed text,
  created_at timestamptz not null,
  polled_at timestamptz,
  poll_problem text
);

create table commits (
  service text not null references services (name),
  sha text not null,
  parent_shas text[] not null,
  author text not null,
  author_email text not null,
  committed_at timestamptz not null,
  message text not null,
  -- none, good, bad or unknown-key
  signature text not null,
  ref text not null,
  seen_at timestamptz not null,
  primary key (service, sha)
);

create table hook_deliveries (
  forge text not null,
  delivery text not null,
  received_at timestamptz not null,
  primary key (forge, delivery)
);

create table releases (
  id text primary key,
  service text not null references services (name),
  -- 1, 2, 3 within the service: what people call it
  number integer not null,
  commit_sha text not null,
  status text not null,
  config jsonb,
  config_digest text,
  digest text,
  problem text,
  created_by text not null,
  created_at timestamptz not null,
  finished_at timestamptz,
  generation integer not null default 0,
  unique (service, number),
  unique (service, commit_sha),
  foreign key (service, commit_sha) references commits (service, sha)
);

create table builds (
  id text primary key,
  release_id text references releases (id),
  service text not null references services (name),
  commit_sha text not null,
  -- release or verify
  purpose text not null,
  status text not null,
  sandbox text,
  inputs_digest text,
  toolchain jsonb,
  cache_hits integer not null default 0,
  digest text,
  report jsonb,
  problem text,
  cancel_requested_by text,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz
);
create index builds_release on builds (release_id);

create table build_steps (
  build_id text not null references builds (id),
  name text not null,
  position integer not null,
  needs text[] not null,
  status text not null,
  cache_key text,
  exit_code integer,
  problem text,
  started_at timestamptz,
  finished_at timestamptz,
  primary key (build_id, name)
);

create table build_logs (
  build_id text not null,
  step text not null,
  sequence integer not null,
  at timestamptz not null,
  text text not null,
  primary key (build_id, step, sequence)
);

create table artifacts (
  digest text primary key,
  service text not null references services (name),
  repository text not null,
  build_id text references builds (id),
  commit_sha text not null,
  media_type text not null,
  size_bytes bigint not null,
  created_at timestamptz not null
);

-- Registry: bytes live in the blob store, manifests here, byte for byte.
create table registry_blobs (
  digest text primary key,
  size_bytes bigint not null,
  stored_at timestamptz not null
);

create table registry_repository_blobs (
  repository text not null,
  digest text not null references registry_blobs (digest),
  primary key (repository, digest)
);

create table registry_manifests (
  repository text not null,
  digest text not null,
  media_type text not null,
  content bytea not null,
  artifact_type text,
  subject text,
  annotations jsonb not null default '{}',
  pushed_by text not null,
  pushed_at timestamptz not null,
  primary key (repository, digest)
);
create index registry_referrers on registry_manifests (repository, subject) where subject is not null;

create table registry_tags (
  repository text not null,
  tag text not null,
  digest text not null,
  updated_by text not null,
  updated_at timestamptz not null,
  primary key (repository, tag),
  foreign key (repository, digest) references registry_manifests (repository, digest)
);

create table registry_uploads (
  id text primary key,
  repository text not null,
  offset_bytes bigint not null,
  started_by text not null,
  started_at timestamptz not null,
  touched_at timestamptz not null
);

create table decisions (
  id text primary key,
  service text not null,
  environment text not null,
  digest text not null,
  promotion_id text,
  outcome text not null,
  policy_hash text not null,
  results jsonb not null,
  inputs jsonb not null,
  inputs_hash text not null,
  decided_at timestamptz not null
);
create index decisions_digest on decisions (digest, environment);

create table promotions (
  id text primary key,
  service text not null references services (name),
  environment text not null,
  digest text not null,
  release_id text references releases (id),
  -- planned, hotfix or rollback
  kind text not null,
  status text not null,
  reason text,
  decision_id text references decisions (id),
  rollout_id text,
  requested_by text not null,
  created_at timestamptz not null,
  status_at timestamptz not null,
  deadline_at timestamptz not null,
  ended_at timestamptz,
  generation integer not null default 0
);
create unique index promotions_open on promotions (service, environment, digest) where ended_at is null;

create table approvals (
  id text primary key,
  promotion_id text not null references promotions (id),
  actor text not null,
  -- approve or reject
  answer text not null,
  reason text not null,
  -- sha256 over commit, digest, environment and policy: any change voids the approval
  binding text not null,
  given_at timestamptz not null,
  unique (promotion_id, actor)
);

-- What a lane runs when nothing moves there.
create table lanes (
  service text not null references services (name),
  environment text not null,
  digest text,
  release_id text references releases (id),
  rollout_id text,
  repository text,
  since timestamptz,
  listen_port integer,
  -- the highest fence handed out for this lane
  fence bigint not null default 0,
  primary key (service, environment)
);

create table rollouts (
  id text primary key,
  service text not null,
  environment text not null,
  promotion_id text references promotions (id),
  release_id text references releases (id),
  kind text not null,
  digest text not null,
  previous_digest text,
  repository text not null,
  spec jsonb not null,
  runtime jsonb not null,
  state jsonb not null,
  phase text not null,
  request jsonb,
  reasons jsonb not null default '[]',
  fence bigint not null,
  generation integer not null default 0,
  wake_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  ended_at timestamptz,
  outcome text,
  foreign key (service, environment) references lanes (service, environment)
);
create unique index rollouts_one_active_per_lane on rollouts (service, environment) where ended_at is null;
create index rollouts_due on rollouts (wake_at) where ended_at is null;

create table rollout_actions (
  rollout_id text not null references rollouts (id),
  generation integer not null,
  n integer not null,
  action jsonb not null,
  -- pending, done or failed
  status text not null,
  result jsonb,
  created_at timestamptz not null,
  finished_at timestamptz,
  primary key (rollout_id, generation, n)
);
create index rollout_actions_pending on rollout_actions (rollout_id) where status = 'pending';

create table analyses (
  rollout_id text primary key references rollouts (id),
  spec jsonb not null,
  state jsonb,
  verdict text not null,
  reason text not null default '',
  generation integer not null default 0,
  updated_at timestamptz not null
);

create table evidence_points (
  rollout_id text not null references rollouts (id),
  n integer not null,
  at timestamptz not null,
  point jsonb not null,
  primary key (rollout_id, n)
);

-- One row a lane and second while it is watched: what the home page and history draw.
create table lane_samples (
  service text not null,
  environment text not null,
  at timestamptz not null,
  sample jsonb not null,
  primary key (service, environment, at)
);

create table idempotency_keys (
  key text not null,
  actor text not null,
  request_hash text not null,
  status integer,
  response jsonb,
  created_at timestamptz not null,
  primary key (actor, key)
);

create table worker_heartbeats (
  worker_id text primary key,
  at timestamptz not null
);

-- Ledger. Entries are appended to ledger_pending in the transaction of the change they record; one sequencer moves them
-- into the log in commit order.
create table ledger_pending (
  id bigserial primary key,
  kind text not null,
  service text,
  environment text,
  subject text not null,
  actor text not null,
  at timestamptz not null,
  body bytea not null
);

create table ledger_entries (
  index bigint primary key,
  pending_id bigint not null unique,
  kind text not null,
  service text,
  environment text,
  subject text not null,
  actor text not null,
  at timestamptz not null,
  body bytea not null,
  leaf_hash bytea not null
);
create index ledger_entries_subject on ledger_entries (subject, index);
create index ledger_entries_service on ledger_entries (service, index);

-- tlog-tiles: level 0 holds leaf hashes, 256 to a full tile; a partial tile is replaced as it grows.
create table ledger_tiles (
  level smallint not null,
  index bigint not null,
  width smallint not null,
  hashes bytea not null,
  primary key (level, index)
);

create table ledger_checkpoints (
  size bigint primary key,
  root bytea not null,
  note text not null,
  signed_at timestamptz not null
);
