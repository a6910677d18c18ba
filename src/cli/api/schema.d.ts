// Generated from schemas/openapi.json; do not edit.

export interface paths {
  "/metrics": {
    get: operations["metrics"];
  };
  "/v1/artifacts/{digest}": {
    get: operations["getArtifact"];
  };
  "/v1/artifacts": {
    get: operations["listArtifacts"];
  };
  "/v1/builds/{build}/cancel": {
    post: operations["cancelBuild"];
  };
  "/v1/builds/{build}/logs": {
    get: operations["getBuildLogs"];
  };
  "/v1/builds/{build}": {
    get: operations["getBuild"];
  };
  "/v1/cdevents": {
    get: operations["cdEvents"];
  };
  "/v1/decisions/{decision}": {
    get: operations["getDecision"];
  };
  "/v1/decisions": {
    get: operations["listDecisions"];
  };
  "/v1/health": {
    get: operations["health"];
  };
  "/v1/hooks/{forge}/{service}": {
    post: operations["receiveHook"];
  };
  "/v1/ledger/checkpoint": {
    get: operations["getLedgerCheckpoint"];
  };
  "/v1/ledger/consistency": {
    get: operations["getLedgerConsistencyProof"];
  };
  "/v1/ledger/entries/{index}/proof": {
    get: operations["getLedgerInclusionProof"];
  };
  "/v1/ledger/entries/{index}": {
    get: operations["getLedgerEntry"];
  };
  "/v1/ledger/entries": {
    get: operations["listLedgerEntries"];
  };
  "/v1/ledger/keys": {
    get: operations["listKeys"];
  };
  "/v1/ledger/tile/{rest}": {
    get: operations["getLedgerTile"];
  };
  "/v1/ledger/trusted-root": {
    get: operations["getTrustedRoot"];
  };
  "/v1/ledger/verify": {
    post: operations["verifyLedger"];
  };
  "/v1/matrix": {
    get: operations["matrix"];
  };
  "/v1/me": {
    get: operations["getMe"];
  };
  "/v1/platform/validate": {
    post: operations["validatePlatform"];
  };
  "/v1/platform": {
    get: operations["getPlatform"];
    post: operations["applyPlatform"];
  };
  "/v1/policies/dry-run": {
    post: operations["dryRunPolicies"];
  };
  "/v1/policies/test": {
    post: operations["testPolicies"];
  };
  "/v1/policies": {
    get: operations["listPolicies"];
  };
  "/v1/promotions/{promotion}/approve": {
    post: operations["approvePromotion"];
  };
  "/v1/promotions/{promotion}/cancel": {
    post: operations["cancelPromotion"];
  };
  "/v1/promotions/{promotion}/reject": {
    post: operations["rejectPromotion"];
  };
  "/v1/promotions/{promotion}": {
    get: operations["getPromotion"];
  };
  "/v1/promotions": {
    get: operations["listPromotions"];
  };
  "/v1/releases/{release}": {
    get: operations["getRelease"];
  };
  "/v1/releases": {
    get: operations["listReleases"];
  };
  "/v1/rollouts/{rollout}/abort": {
    post: operations["abortRollout"];
  };
  "/v1/rollouts/{rollout}/evidence": {
    get: operations["getRolloutEvidence"];
  };
  "/v1/rollouts/{rollout}/pause": {
    post: operations["pauseRollout"];
  };
  "/v1/rollouts/{rollout}/resume": {
    post: operations["resumeRollout"];
  };
  "/v1/rollouts/{rollout}": {
    get: operations["getRollout"];
  };
  "/v1/rollouts": {
    get: operations["listRollouts"];
  };
  "/v1/services/{service}/builds": {
    get: operations["listBuilds"];
    post: operations["createBuild"];
  };
  "/v1/services/{service}/commits": {
    get: operations["listCommits"];
  };
  "/v1/services/{service}/environments/{environment}/instances/{instance}/logs": {
    get: operations["instanceLogs"];
  };
  "/v1/services/{service}/environments/{environment}/promotions": {
    post: operations["promote"];
  };
  "/v1/services/{service}/environments/{environment}/rollback-targets": {
    get: operations["rollbackTargets"];
  };
  "/v1/services/{service}/environments/{environment}/rollback": {
    post: operations["rollback"];
  };
  "/v1/services/{service}/releases": {
    post: operations["createRelease"];
  };
  "/v1/services/{service}": {
    get: operations["getService"];
  };
  "/v1/services": {
    get: operations["listServices"];
    post: operations["registerService"];
  };
  "/v1/session/end": {
    post: operations["signOut"];
  };
  "/v1/session": {
    post: operations["signIn"];
  };
  "/v1/stream": {
    get: operations["stream"];
  };
  "/v1/tokens/{token}": {
    delete: operations["revokeToken"];
  };
  "/v1/tokens": {
    get: operations["listTokens"];
    post: operations["createToken"];
  };
  "/v1/why": {
    get: operations["why"];
  };
}

export interface components {
  schemas: {
    Problem: {
      type: string;
      title: string;
      status: number;
      detail: string;
      code: "internal" | "usage" | "invalid_input" | "invalid_config" | "payload_too_large" | "cancelled" | "unauthenticated" | "forbidden" | "policy_denied" | "evidence_missing" | "signature_invalid" | "tag_immutable" | "tampered" | "not_found" | "timeout" | "conflict" | "lane_busy" | "confirmation_required" | "invalid_state" | "idempotency_mismatch" | "unreachable" | "disk_full" | "port_taken" | "source_unreachable" | "commit_not_found" | "lockfile_broken" | "step_failed" | "image_missing" | "digest_mismatch" | "key_unknown" | "stale_fence" | "invariant_violated";
      hint?: string;
      requestId: string;
      retryable: boolean;
      diagnostics?: { [key: string]: unknown }[];
      facts?: { [key: string]: unknown };
    };
  };
}

export interface operations {
  metrics: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "text/plain": string } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getArtifact: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        digest: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          digest: string;
          service: string;
          repository: string;
          buildId: string | null;
          commit: string;
          mediaType: string;
          sizeBytes: number;
          createdAt: string;
          evidence: {
            kind: string;
            predicateType: string;
            referrer: string;
            verified: boolean;
            problem: string | null;
            key: string | null;
            ledgerIndex: number | null;
            predicate: { [key: string]: unknown } | null;
          }[];
          decisions: {
            id: string;
            environment: string;
            outcome: string;
            policyHash: string;
            results: unknown[];
            at: string;
          }[];
          rollouts: {
            id: string;
            environment: string;
            phase: string;
            outcome: string | null;
            createdAt: string;
          }[];
          runningIn: string[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  listArtifacts: {
    parameters: {
      query?: {
        service?: string;
        limit?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          artifacts: {
            digest: string;
            service: string;
            repository: string;
            commit: string;
            sizeBytes: number;
            createdAt: string;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  cancelBuild: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path: {
        build: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      202: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          releaseId: string | null;
          service: string;
          commit: string;
          purpose: "release" | "verify";
          status: "queued" | "running" | "succeeded" | "failed" | "cancelled";
          sandbox: string | null;
          digest: string | null;
          problem: string | null;
          cacheHits: number;
          cancelRequestedBy: string | null;
          createdAt: string;
          startedAt: string | null;
          finishedAt: string | null;
          durationMs: number | null;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getBuildLogs: {
    parameters: {
      query?: {
        step?: string;
        follow?: string;
      };
      header?: never;
      path: {
        build: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "text/plain; charset=utf-8": string } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getBuild: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        build: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          releaseId: string | null;
          service: string;
          commit: string;
          purpose: "release" | "verify";
          status: "queued" | "running" | "succeeded" | "failed" | "cancelled";
          sandbox: string | null;
          digest: string | null;
          problem: string | null;
          cacheHits: number;
          cancelRequestedBy: string | null;
          createdAt: string;
          startedAt: string | null;
          finishedAt: string | null;
          durationMs: number | null;
          inputsDigest: string | null;
          toolchain: { [key: string]: string } | null;
          steps: {
            name: string;
            needs: string[];
            status: "waiting" | "running" | "succeeded" | "failed" | "cached" | "skipped" | "cancelled" | "timed-out";
            cacheKey: string | null;
            exitCode: number | null;
            problem: string | null;
            startedAt: string | null;
            finishedAt: string | null;
            durationMs: number | null;
          }[];
          criticalPath: {
            steps: string[];
            durationMs: number;
          };
          /** Everything the finished build says about itself */
          report: { [key: string]: unknown } | null;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  cdEvents: {
    parameters: {
      query?: {
        from?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          next: number;
          events: {
            specversion: "1.0";
            id: string;
            source: string;
            type: string;
            time: string;
            datacontenttype: "application/json";
            data: unknown;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getDecision: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        decision: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          service: string;
          environment: string;
          digest: string;
          promotionId: string | null;
          outcome: "allow" | "warn" | "deny";
          /** sha256 over the policies that were evaluated. */
          policyHash: string;
          results: {
            policy: string;
            severity: "warn" | "block";
            outcome: "allow" | "warn" | "deny";
            /** A sentence for the person who has to act. */
            reason: string;
            /** Facts the policy needed and did not get. */
            missing: string[];
          }[];
          /** The facts as they were. */
          inputs: { [key: string]: unknown };
          /** sha256 over the canonical JSON of the inputs. */
          inputsHash: string;
          atMs: number;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  listDecisions: {
    parameters: {
      query?: {
        service?: string;
        environment?: string;
        digest?: string;
        before?: string;
        limit?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          decisions: {
            id: string;
            service: string;
            environment: string;
            digest: string;
            promotionId: string | null;
            outcome: "allow" | "warn" | "deny";
            /** sha256 over the policies that were evaluated. */
            policyHash: string;
            results: {
              policy: string;
              severity: "warn" | "block";
              outcome: "allow" | "warn" | "deny";
              /** A sentence for the person who has to act. */
              reason: string;
              /** Facts the policy needed and did not get. */
              missing: string[];
            }[];
            /** The facts as they were. */
            inputs: { [key: string]: unknown };
            /** sha256 over the canonical JSON of the inputs. */
            inputsHash: string;
            atMs: number;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  health: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          status: "ok" | "degraded";
          problems: {
            part: "ledger";
            code: string;
            problem: string;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  receiveHook: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        forge: "github" | "gitlab" | "gitea" | "forgejo";
        service: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      202: { headers: { [name: string]: unknown }; content: { "application/json": {
          accepted: true;
          duplicate: boolean;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getLedgerCheckpoint: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "text/plain": string } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getLedgerConsistencyProof: {
    parameters: {
      query: {
        from: number;
        to: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          from: number;
          to: number;
          /** base64 */
          fromRoot: string;
          /** base64 */
          toRoot: string;
          hashes: string[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getLedgerInclusionProof: {
    parameters: {
      query?: {
        size?: number;
      };
      header?: never;
      path: {
        index: number;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          index: number;
          size: number;
          /** base64 */
          body: string;
          hashes: string[];
          /** base64 */
          root: string;
          /** the signed note (C2SP tlog-checkpoint) of this size */
          checkpoint: string;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getLedgerEntry: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        index: number;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          index: number;
          kind: "platform.applied" | "service.registered" | "commit.seen" | "release.created" | "release.built" | "release.failed" | "release.cancelled" | "build.started" | "build.finished" | "artifact.registered" | "evidence.attached" | "signature" | "gate.decided" | "promotion.created" | "promotion.changed" | "approval.given" | "approval.refused" | "rollout.created" | "rollout.changed" | "rollout.action" | "rollout.ended" | "token.created" | "token.revoked" | "key.created" | "key.revoked" | "tag.deleted";
          at: string;
          actor: string;
          service: string | null;
          environment: string | null;
          subject: string;
          /** sha256(0x00 || body), hex */
          leafHash: string;
          body: { [key: string]: unknown } | null;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  listLedgerEntries: {
    parameters: {
      query?: {
        from?: number;
        limit?: number;
        subject?: string;
        service?: string;
        environment?: string;
        kind?: "platform.applied" | "service.registered" | "commit.seen" | "release.created" | "release.built" | "release.failed" | "release.cancelled" | "build.started" | "build.finished" | "artifact.registered" | "evidence.attached" | "signature" | "gate.decided" | "promotion.created" | "promotion.changed" | "approval.given" | "approval.refused" | "rollout.created" | "rollout.changed" | "rollout.action" | "rollout.ended" | "token.created" | "token.revoked" | "key.created" | "key.revoked" | "tag.deleted";
        order?: "asc" | "desc";
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          size: number;
          entries: {
            index: number;
            kind: "platform.applied" | "service.registered" | "commit.seen" | "release.created" | "release.built" | "release.failed" | "release.cancelled" | "build.started" | "build.finished" | "artifact.registered" | "evidence.attached" | "signature" | "gate.decided" | "promotion.created" | "promotion.changed" | "approval.given" | "approval.refused" | "rollout.created" | "rollout.changed" | "rollout.action" | "rollout.ended" | "token.created" | "token.revoked" | "key.created" | "key.revoked" | "tag.deleted";
            at: string;
            actor: string;
            service: string | null;
            environment: string | null;
            subject: string;
            /** sha256(0x00 || body), hex */
            leafHash: string;
            body: { [key: string]: unknown } | null;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  listKeys: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          origin: string;
          /** base64 */
          logId: string;
          keys: {
            name: string;
            purpose: string;
            algorithm: string;
            hint: string;
            pem: string;
            validFrom: string;
            validUntil: string | null;
            revokedAt: string | null;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getLedgerTile: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        rest: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/octet-stream": string } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getTrustedRoot: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": { [key: string]: unknown } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  verifyLedger: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          ok: boolean;
          size: number;
          root: string;
          checkpoints: number;
          problems: {
            where: string;
            at: string;
            problem: string;
          }[];
          truncated: boolean;
          /** null when the artifact store was not asked for */
          artifacts: {
            ok: boolean;
            problems: {
              digest: string;
              problem: string;
            }[];
          } | null;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  matrix: {
    parameters: {
      query?: {
        service?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          at: string;
          environments: {
            name: string;
            after: string | null;
            production: boolean;
          }[];
          services: {
            name: string;
            repositoryUrl: string;
            branch: string;
            pollProblem: string | null;
            latest: {
              id: string;
              number: number;
              status: string;
              commit: string;
              message: string;
              problem: string | null;
              createdAt: string;
            } | null;
            cells: {
              service: string;
              environment: string;
              current: {
                digest: string;
                releaseId: string | null;
                releaseNumber: number | null;
                commit: string | null;
                message: string | null;
                rolloutId: string | null;
                since: string;
              } | null;
              url: string | null;
              sample: {
                groups: {
                  stable?: {
                    rps: number;
                    errorRate: number | null;
                    p50S: number | null;
                    p95S: number | null;
                    p99S: number | null;
                    digest: string | null;
                  };
                  baseline?: {
                    rps: number;
                    errorRate: number | null;
                    p50S: number | null;
                    p95S: number | null;
                    p99S: number | null;
                    digest: string | null;
                  };
                  canary?: {
                    rps: number;
                    errorRate: number | null;
                    p50S: number | null;
                    p95S: number | null;
                    p99S: number | null;
                    digest: string | null;
                  };
                };
                weights: {
                  stable: number;
                  baseline: number;
                  canary: number;
                } | null;
                instances: {
                  ready: number;
                  total: number;
                };
                unrouted: number;
                at: string;
              } | null;
              health: "healthy" | "degraded" | "down" | "no-data" | "empty";
              healthReason: string;
              moving: {
                rolloutId: string;
                digest: string;
                releaseNumber: number | null;
                phase: string;
                weight: number;
                verdict: string | null;
                reason: string;
                paused: boolean;
                since: string;
              } | null;
              waiting: {
                promotionId: string;
                status: string;
                reason: string;
                releaseNumber: number | null;
                since: string;
              }[];
              last: {
                rolloutId: string;
                outcome: string;
                reason: string;
                releaseNumber: number | null;
                at: string;
              } | null;
            }[];
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getMe: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          actor: string;
          roles: string[];
          /** What it may do everywhere */
          verbs: string[];
          grants: {
            role: string;
            services: string[];
            environments: string[];
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  validatePlatform: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          /** The YAML documents of the platform folder, by path */
          files: { [key: string]: string };
        } } };
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          valid: boolean;
          diagnostics: {
            path: string;
            message: string;
            hint?: string;
            position?: {
              file: string;
              line: number;
              column: number;
            };
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getPlatform: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          digest: string;
          builtin: boolean;
          commit: string | null;
          appliedBy: string | null;
          appliedAt: string | null;
          files: { [key: string]: string };
          /** Environments, strategies, policies and access, with units resolved */
          config: unknown;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  applyPlatform: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          /** The YAML documents of the platform folder, by path */
          files: { [key: string]: string };
          commit?: string | null;
        } } };
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          digest: string;
          changed: boolean;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  dryRunPolicies: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          policies: {
            /** Name of the policy; environments refer to it */
            name: string;
            /** Why the policy exists */
            description?: string;
            /** block: a false answer denies the change; warn: it passes and says what was found */
            severity?: "warn" | "block";
            /** CEL expression over the facts; true lets the change pass */
            allow: string;
            /** What to tell the person when it is false; may use {{ expression }} */
            message: string;
            /** Tests of the policy */
            tests?: {
              /** What the test shows */
              name: string;
              /** The facts the policy sees */
              facts: { [key: string]: unknown };
              /** What the policy must answer: allow or deny */
              expect: "allow" | "deny";
            }[];
          }[];
          service?: string;
          environment?: string;
          sinceMs?: number;
          limit?: number;
        } } };
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          looked: number;
          stopped: {
            decision: string;
            service: string;
            environment: string;
            digest: string;
            atMs: number;
            was: "allow" | "warn" | "deny";
            wouldBe: "allow" | "warn" | "deny";
            results: {
              policy: string;
              severity: "warn" | "block";
              outcome: "allow" | "warn" | "deny";
              /** A sentence for the person who has to act. */
              reason: string;
              /** Facts the policy needed and did not get. */
              missing: string[];
            }[];
          }[];
          released: {
            decision: string;
            service: string;
            environment: string;
            digest: string;
            atMs: number;
            was: "allow" | "warn" | "deny";
            wouldBe: "allow" | "warn" | "deny";
            results: {
              policy: string;
              severity: "warn" | "block";
              outcome: "allow" | "warn" | "deny";
              /** A sentence for the person who has to act. */
              reason: string;
              /** Facts the policy needed and did not get. */
              missing: string[];
            }[];
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  testPolicies: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          policies?: {
            /** Name of the policy; environments refer to it */
            name: string;
            /** Why the policy exists */
            description?: string;
            /** block: a false answer denies the change; warn: it passes and says what was found */
            severity?: "warn" | "block";
            /** CEL expression over the facts; true lets the change pass */
            allow: string;
            /** What to tell the person when it is false; may use {{ expression }} */
            message: string;
            /** Tests of the policy */
            tests?: {
              /** What the test shows */
              name: string;
              /** The facts the policy sees */
              facts: { [key: string]: unknown };
              /** What the policy must answer: allow or deny */
              expect: "allow" | "deny";
            }[];
          }[];
        } } };
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          ok: boolean;
          policyHash: string;
          tests: number;
          problems: {
            path: string;
            message: string;
            hint?: string;
            position?: {
              file: string;
              line: number;
              column: number;
            };
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  listPolicies: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          policies: {
            /** Name of the policy; environments refer to it */
            name: string;
            /** Why the policy exists */
            description: string;
            /** block: a false answer denies the change; warn: it passes and says what was found */
            severity: "warn" | "block";
            /** CEL expression over the facts; true lets the change pass */
            allow: string;
            /** What to tell the person when it is false; may use {{ expression }} */
            message: string;
            /** Tests of the policy */
            tests: {
              /** What the test shows */
              name: string;
              /** The facts the policy sees */
              facts: { [key: string]: unknown };
              /** What the policy must answer: allow or deny */
              expect: "allow" | "deny";
            }[];
            environments: string[];
          }[];
          problems: {
            path: string;
            message: string;
            hint?: string;
            position?: {
              file: string;
              line: number;
              column: number;
            };
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  approvePromotion: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path: {
        promotion: string;
      };
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          reason?: string;
        } } };
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          service: string;
          environment: string;
          digest: string;
          releaseId: string | null;
          kind: string;
          status: string;
          reason: string | null;
          decisionId: string | null;
          rolloutId: string | null;
          requestedBy: string;
          createdAt: string;
          statusAt: string;
          deadlineAt: string;
          endedAt: string | null;
          approvals: {
            actor: string;
            answer: string;
            reason: string;
            at: string;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  cancelPromotion: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path: {
        promotion: string;
      };
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          reason: string;
        } } };
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          service: string;
          environment: string;
          digest: string;
          releaseId: string | null;
          kind: string;
          status: string;
          reason: string | null;
          decisionId: string | null;
          rolloutId: string | null;
          requestedBy: string;
          createdAt: string;
          statusAt: string;
          deadlineAt: string;
          endedAt: string | null;
          approvals: {
            actor: string;
            answer: string;
            reason: string;
            at: string;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  rejectPromotion: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path: {
        promotion: string;
      };
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          reason?: string;
        } } };
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          service: string;
          environment: string;
          digest: string;
          releaseId: string | null;
          kind: string;
          status: string;
          reason: string | null;
          decisionId: string | null;
          rolloutId: string | null;
          requestedBy: string;
          createdAt: string;
          statusAt: string;
          deadlineAt: string;
          endedAt: string | null;
          approvals: {
            actor: string;
            answer: string;
            reason: string;
            at: string;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getPromotion: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        promotion: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          service: string;
          environment: string;
          digest: string;
          releaseId: string | null;
          kind: string;
          status: string;
          reason: string | null;
          decisionId: string | null;
          rolloutId: string | null;
          requestedBy: string;
          createdAt: string;
          statusAt: string;
          deadlineAt: string;
          endedAt: string | null;
          approvals: {
            actor: string;
            answer: string;
            reason: string;
            at: string;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  listPromotions: {
    parameters: {
      query?: {
        service?: string;
        environment?: string;
        release?: string;
        open?: "true" | "false";
        limit?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          promotions: {
            id: string;
            service: string;
            environment: string;
            digest: string;
            releaseId: string | null;
            kind: string;
            status: string;
            reason: string | null;
            decisionId: string | null;
            rolloutId: string | null;
            requestedBy: string;
            createdAt: string;
            statusAt: string;
            deadlineAt: string;
            endedAt: string | null;
            approvals: {
              actor: string;
              answer: string;
              reason: string;
              at: string;
            }[];
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getRelease: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        release: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          service: string;
          number: number;
          status: string;
          problem: string | null;
          digest: string | null;
          buildId: string | null;
          configDigest: string | null;
          createdBy: string;
          createdAt: string;
          finishedAt: string | null;
          commit: {
            sha: string;
            author: string;
            authorEmail: string;
            message: string;
            committedAt: string;
            signature: string;
            ref: string;
          };
          promotions: {
            id: string;
            environment: string;
            status: string;
            reason: string | null;
            rolloutId: string | null;
            createdAt: string;
            endedAt: string | null;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  listReleases: {
    parameters: {
      query?: {
        service?: string;
        commit?: string;
        limit?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          releases: {
            id: string;
            service: string;
            number: number;
            status: string;
            problem: string | null;
            digest: string | null;
            buildId: string | null;
            configDigest: string | null;
            createdBy: string;
            createdAt: string;
            finishedAt: string | null;
            commit: {
              sha: string;
              author: string;
              authorEmail: string;
              message: string;
              committedAt: string;
              signature: string;
              ref: string;
            };
            promotions: {
              id: string;
              environment: string;
              status: string;
              reason: string | null;
              rolloutId: string | null;
              createdAt: string;
              endedAt: string | null;
            }[];
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  abortRollout: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path: {
        rollout: string;
      };
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          reason: string;
          confirm?: string;
        } } };
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          service: string;
          environment: string;
          kind: "planned" | "hotfix" | "rollback";
          digest: string;
          previousDigest: string | null;
          releaseNumber: number | null;
          previousReleaseNumber: number | null;
          commit: string | null;
          promotionId: string | null;
          phase: string;
          stepIndex: number;
          steps: {
            weight: number;
            minimumS: number;
            requirePass: boolean;
            manual: boolean;
            deadlineS: number;
          }[];
          strategy: string;
          instances: number;
          weights: {
            stable: number;
            baseline: number;
            canary: number;
          };
          paused: {
            at: string;
            by: string;
            reason: string;
          } | null;
          turnedBack: {
            at: string;
            by: string;
            reason: string;
            terminal: string;
          } | null;
          reasons: string[];
          verdict: "pass" | "fail" | "inconclusive" | "no-data" | null;
          verdictReason: string | null;
          generation: number;
          createdAt: string;
          updatedAt: string;
          exposedAt: string | null;
          zeroTrafficAt: string | null;
          endedAt: string | null;
          outcome: string | null;
          listenPort: number | null;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getRolloutEvidence: {
    parameters: {
      query?: {
        after?: number;
      };
      header?: never;
      path: {
        rollout: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          /** null when the rollout is not analysed. */
          spec: {
            alpha: number;
            errors: {
              weight: number;
              failRho: number;
              failDelta: number;
              passRho: number;
              passDelta: number;
            } | null;
            latency: {
              quantile: 0.5 | 0.95 | 0.99;
              weight: number;
              failRho: number;
              passRho: number;
              passDelta: number;
            }[];
            warmupS: number;
            staleS: number;
            /** Whether the transient guard may hold a fail back. */
            guard?: boolean;
            /** The share of the error budget the rollout may spend; the ramp is null when its steps are as written. */
            budget?: {
              objective: number;
              periodS: number;
              share: number;
              minimumBad: number;
              ramp: {
                harm: number;
              } | null;
              ratePerS: number | null;
            } | null;
          } | null;
          verdict: "pass" | "fail" | "inconclusive" | "no-data";
          reason: string;
          updatedAtMs: number | null;
          points: {
            n: number;
            point: {
              atMs: number;
              canaryWeight: number;
              verdict: "pass" | "fail" | "inconclusive" | "no-data";
              metrics: {
                metric: "errors" | "latency-p50" | "latency-p95" | "latency-p99";
                verdict: "pass" | "fail" | "inconclusive" | "no-data";
                fail: {
                  /** Evidence: natural logarithm of the e-value. */
                  logE: number;
                  /** Where it decides. */
                  threshold: number;
                };
                pass: {
                  /** Evidence: natural logarithm of the e-value. */
                  logE: number;
                  /** Where it decides. */
                  threshold: number;
                };
                canary: {
                  requests: number;
                  bad: number;
                  rate: number | null;
                };
                baseline: {
                  requests: number;
                  bad: number;
                  rate: number | null;
                };
                /** Latency above which a request counts as bad, in seconds; null for errors. */
                edgeS: number | null;
                /** A fail that is held back until it outlives any three minutes (transient) or six seconds (stall). */
                guarded?: "transient" | "stall";
                /** What is still needed at the rates seen; null when there is no telling. */
                remaining: {
                  toward: "pass" | "fail";
                  requests: number;
                  seconds: number | null;
                } | null;
              }[];
              /** What the rollout has cost and may cost, as shares of the period's error budget. */
              budget?: {
                spent: number;
                allowed: number;
              };
              rates: {
                canary: {
                  rps: number;
                  errorRate: number | null;
                  p50S: number | null;
                  p95S: number | null;
                  p99S: number | null;
                };
                baseline: {
                  rps: number;
                  errorRate: number | null;
                  p50S: number | null;
                  p95S: number | null;
                  p99S: number | null;
                };
              };
            };
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  pauseRollout: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path: {
        rollout: string;
      };
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          reason: string;
          confirm?: string;
        } } };
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          service: string;
          environment: string;
          kind: "planned" | "hotfix" | "rollback";
          digest: string;
          previousDigest: string | null;
          releaseNumber: number | null;
          previousReleaseNumber: number | null;
          commit: string | null;
          promotionId: string | null;
          phase: string;
          stepIndex: number;
          steps: {
            weight: number;
            minimumS: number;
            requirePass: boolean;
            manual: boolean;
            deadlineS: number;
          }[];
          strategy: string;
          instances: number;
          weights: {
            stable: number;
            baseline: number;
            canary: number;
          };
          paused: {
            at: string;
            by: string;
            reason: string;
          } | null;
          turnedBack: {
            at: string;
            by: string;
            reason: string;
            terminal: string;
          } | null;
          reasons: string[];
          verdict: "pass" | "fail" | "inconclusive" | "no-data" | null;
          verdictReason: string | null;
          generation: number;
          createdAt: string;
          updatedAt: string;
          exposedAt: string | null;
          zeroTrafficAt: string | null;
          endedAt: string | null;
          outcome: string | null;
          listenPort: number | null;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  resumeRollout: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path: {
        rollout: string;
      };
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          reason: string;
          confirm?: string;
        } } };
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          service: string;
          environment: string;
          kind: "planned" | "hotfix" | "rollback";
          digest: string;
          previousDigest: string | null;
          releaseNumber: number | null;
          previousReleaseNumber: number | null;
          commit: string | null;
          promotionId: string | null;
          phase: string;
          stepIndex: number;
          steps: {
            weight: number;
            minimumS: number;
            requirePass: boolean;
            manual: boolean;
            deadlineS: number;
          }[];
          strategy: string;
          instances: number;
          weights: {
            stable: number;
            baseline: number;
            canary: number;
          };
          paused: {
            at: string;
            by: string;
            reason: string;
          } | null;
          turnedBack: {
            at: string;
            by: string;
            reason: string;
            terminal: string;
          } | null;
          reasons: string[];
          verdict: "pass" | "fail" | "inconclusive" | "no-data" | null;
          verdictReason: string | null;
          generation: number;
          createdAt: string;
          updatedAt: string;
          exposedAt: string | null;
          zeroTrafficAt: string | null;
          endedAt: string | null;
          outcome: string | null;
          listenPort: number | null;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getRollout: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        rollout: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          service: string;
          environment: string;
          kind: "planned" | "hotfix" | "rollback";
          digest: string;
          previousDigest: string | null;
          releaseNumber: number | null;
          previousReleaseNumber: number | null;
          commit: string | null;
          promotionId: string | null;
          phase: string;
          stepIndex: number;
          steps: {
            weight: number;
            minimumS: number;
            requirePass: boolean;
            manual: boolean;
            deadlineS: number;
          }[];
          strategy: string;
          instances: number;
          weights: {
            stable: number;
            baseline: number;
            canary: number;
          };
          paused: {
            at: string;
            by: string;
            reason: string;
          } | null;
          turnedBack: {
            at: string;
            by: string;
            reason: string;
            terminal: string;
          } | null;
          reasons: string[];
          verdict: "pass" | "fail" | "inconclusive" | "no-data" | null;
          verdictReason: string | null;
          generation: number;
          createdAt: string;
          updatedAt: string;
          exposedAt: string | null;
          zeroTrafficAt: string | null;
          endedAt: string | null;
          outcome: string | null;
          listenPort: number | null;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  listRollouts: {
    parameters: {
      query?: {
        service?: string;
        environment?: string;
        active?: "true" | "false";
        digest?: string;
        limit?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          rollouts: {
            id: string;
            service: string;
            environment: string;
            kind: "planned" | "hotfix" | "rollback";
            digest: string;
            previousDigest: string | null;
            releaseNumber: number | null;
            previousReleaseNumber: number | null;
            commit: string | null;
            promotionId: string | null;
            phase: string;
            stepIndex: number;
            steps: {
              weight: number;
              minimumS: number;
              requirePass: boolean;
              manual: boolean;
              deadlineS: number;
            }[];
            strategy: string;
            instances: number;
            weights: {
              stable: number;
              baseline: number;
              canary: number;
            };
            paused: {
              at: string;
              by: string;
              reason: string;
            } | null;
            turnedBack: {
              at: string;
              by: string;
              reason: string;
              terminal: string;
            } | null;
            reasons: string[];
            verdict: "pass" | "fail" | "inconclusive" | "no-data" | null;
            verdictReason: string | null;
            generation: number;
            createdAt: string;
            updatedAt: string;
            exposedAt: string | null;
            zeroTrafficAt: string | null;
            endedAt: string | null;
            outcome: string | null;
            listenPort: number | null;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  listBuilds: {
    parameters: {
      query?: {
        limit?: number;
        before?: string;
      };
      header?: never;
      path: {
        service: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          builds: {
            id: string;
            releaseId: string | null;
            service: string;
            commit: string;
            purpose: "release" | "verify";
            status: "queued" | "running" | "succeeded" | "failed" | "cancelled";
            sandbox: string | null;
            digest: string | null;
            problem: string | null;
            cacheHits: number;
            cancelRequestedBy: string | null;
            createdAt: string;
            startedAt: string | null;
            finishedAt: string | null;
            durationMs: number | null;
          }[];
          next: string | null;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  createBuild: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path: {
        service: string;
      };
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          commit: string;
          purpose: "verify";
        } } };
    responses: {
      201: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          releaseId: string | null;
          service: string;
          commit: string;
          purpose: "release" | "verify";
          status: "queued" | "running" | "succeeded" | "failed" | "cancelled";
          sandbox: string | null;
          digest: string | null;
          problem: string | null;
          cacheHits: number;
          cancelRequestedBy: string | null;
          createdAt: string;
          startedAt: string | null;
          finishedAt: string | null;
          durationMs: number | null;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  listCommits: {
    parameters: {
      query?: {
        limit?: number;
        before?: string;
      };
      header?: never;
      path: {
        service: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          commits: {
            sha: string;
            parents: string[];
            author: string;
            authorEmail: string;
            committedAt: string;
            message: string;
            signature: "none" | "good" | "bad" | "unknown-key";
            ref: string;
            seenAt: string;
            release: {
              id: string;
              number: number;
              status: string;
            } | null;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  instanceLogs: {
    parameters: {
      query?: {
        tail?: number;
      };
      header?: never;
      path: {
        service: string;
        environment: string;
        instance: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          instance: string;
          text: string;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  promote: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path: {
        service: string;
        environment: string;
      };
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          /** A release, by id or number */
          release?: string;
          /** Or an image in the registry */
          digest?: string;
          kind?: "planned" | "hotfix";
          reason?: string;
        } } };
    responses: {
      201: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          service: string;
          environment: string;
          digest: string;
          releaseId: string | null;
          kind: string;
          status: string;
          reason: string | null;
          decisionId: string | null;
          rolloutId: string | null;
          requestedBy: string;
          createdAt: string;
          statusAt: string;
          deadlineAt: string;
          endedAt: string | null;
          approvals: {
            actor: string;
            answer: string;
            reason: string;
            at: string;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  rollbackTargets: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        service: string;
        environment: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          targets: {
            digest: string;
            releaseId: string;
            releaseNumber: number;
            commit: string;
            healthyAt: string;
            safe: boolean;
            reason: string;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  rollback: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path: {
        service: string;
        environment: string;
      };
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          to?: string;
          reason: string;
          confirm?: string;
          unsafe?: boolean;
        } } };
    responses: {
      201: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          service: string;
          environment: string;
          digest: string;
          releaseId: string | null;
          kind: string;
          status: string;
          reason: string | null;
          decisionId: string | null;
          rolloutId: string | null;
          requestedBy: string;
          createdAt: string;
          statusAt: string;
          deadlineAt: string;
          endedAt: string | null;
          approvals: {
            actor: string;
            answer: string;
            reason: string;
            at: string;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  createRelease: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path: {
        service: string;
      };
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          /** A commit id, branch or tag */
          commit: string;
        } } };
    responses: {
      201: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          commit: string;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  getService: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        service: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          name: string;
          repository: string;
          branch: string;
          createdAt: string;
          /** When the repository was last looked at */
          polledAt: string | null;
          /** Why the last look failed */
          problem: string | null;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  listServices: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          services: {
            name: string;
            repository: string;
            branch: string;
            createdAt: string;
            /** When the repository was last looked at */
            polledAt: string | null;
            /** Why the last look failed */
            problem: string | null;
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  registerService: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          /** The name slipway.yaml must have; leave it out to take that one */
          name?: string;
          /** https, ssh or file address of the git repository, or a path */
          repository: string;
          /** The trunk: its new commits become releases */
          branch?: string;
        } } };
    responses: {
      201: { headers: { [name: string]: unknown }; content: { "application/json": {
          name: string;
          repository: string;
          branch: string;
          createdAt: string;
          /** When the repository was last looked at */
          polledAt: string | null;
          /** Why the last look failed */
          problem: string | null;
          created: boolean;
          /** For the webhook of the forge */
          hook: {
            /** Shown once */
            secret: string | null;
            paths: { [key: string]: string };
          };
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  signOut: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": string } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  signIn: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          token: string;
        } } };
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": string } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  stream: {
    parameters: {
      query?: {
        topics?: string;
        from?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "text/event-stream": string } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  revokeToken: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path: {
        token: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          name: string;
          roles: string[];
          createdAt: string;
          expiresAt: string | null;
          revokedAt: string | null;
          state: "active" | "expired" | "revoked";
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  listTokens: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          tokens: {
            id: string;
            name: string;
            roles: string[];
            createdAt: string;
            expiresAt: string | null;
            revokedAt: string | null;
            state: "active" | "expired" | "revoked";
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  createToken: {
    parameters: {
      query?: never;
      header?: {
        "Idempotency-Key"?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody: { content: { "application/json": {
          /** Who or what uses it; the ledger says token:<name> */
          name: string;
          /** Roles it has everywhere; grants of the access document come on top */
          roles?: string[];
          /** Seconds until it expires; null for never; 90 days by default */
          expiresInS?: number | null;
        } } };
    responses: {
      201: { headers: { [name: string]: unknown }; content: { "application/json": {
          id: string;
          name: string;
          roles: string[];
          createdAt: string;
          expiresAt: string | null;
          revokedAt: string | null;
          state: "active" | "expired" | "revoked";
          token: string;
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
  why: {
    parameters: {
      query: {
        subject: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": {
          subject: string;
          service: string;
          environment: string | null;
          digest: string;
          runningIn: string[];
          chain: {
            kind: "deployment" | "rollout" | "promotion" | "approval" | "decision" | "evidence" | "artifact" | "build" | "release" | "commit";
            id: string;
            at: string;
            actor: string | null;
            environment: string | null;
            title: string;
            reasons: string[];
            entries: number[];
          }[];
        } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": components["schemas"]["Problem"] } };
    };
  };
}

