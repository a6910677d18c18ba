-- What the instances of a lane counted, minute by minute, for a little over an hour: a worker that starts knows what went before.
create table lane_minutes (
  service text not null,
  environment text not null,
  at timestamptz not null,
  instance text not null,
  digest text not null,
  control boolean not null,
  whole boolean not null,
  requests integer not null,
  errors integer not null,
  latency jsonb not null,
  primary key (service, environment, at, instance)
);

create index lane_minutes_at on lane_minutes (at);
