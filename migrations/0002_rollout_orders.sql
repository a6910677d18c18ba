-- What a rollout has ordered of the data plane and may still arrive: the generation of its newest route, and instances whose
-- stop was ordered. Null: nothing yet.
alter table rollouts add column orders jsonb;

-- The rollouts of a lane in time: what it ran, what it can go back to.
create index rollouts_lane on rollouts (service, environment, created_at);
