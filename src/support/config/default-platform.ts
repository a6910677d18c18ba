import { type ParsedPlatform, parsePlatform } from './platform.ts';

/**
 * What holds until somebody applies a platform: dev, staging, prod, gated by the same policies as examples/platform (a test
 * holds the two together). Production compares by canary; nothing needs an approval, so that a first release arrives.
 */
export const DEFAULT_PLATFORM_FILES: Readonly<Record<string, string>> = {
  'environments.yaml': `apiVersion: slipway.dev/v1
kind: Environment
name: dev
policies: [signed-provenance, registered-repository]
strategy: all-at-once
---
apiVersion: slipway.dev/v1
kind: Environment
name: staging
after: dev
policies: [signed-provenance, registered-repository, sbom-present, tests-passed, not-rolled-back]
strategy: rolling
---
apiVersion: slipway.dev/v1
kind: Environment
name: prod
after: staging
production: true
policies: [signed-provenance, registered-repository, sbom-present, tests-passed, succeeded-in-staging, not-rolled-back]
strategy: canary-standard
`,
  'policies.yaml': `# What must hold before a digest may enter an environment. CEL over the facts of the gate; every fact comes from evidence
# whose signature was verified, or from the source repository. Each policy carries its own tests.
apiVersion: slipway.dev/v1
kind: Policy
name: signed-provenance
description: The image was built by this Slipway - its provenance is signed by the build key.
allow: >-
  evidence.provenance.present && evidence.provenance.verified && evidence.provenance.key == "build"
message: The image has no provenance signed by the build key; release it through a build instead of pushing it.
tests:
  - name: provenance of the build key
    facts: { evidence: { provenance: { present: true, verified: true, key: build } } }
    expect: allow
  - name: no provenance
    facts: { evidence: { provenance: { present: false, verified: false, key: "" } } }
    expect: deny
  - name: a signature that does not verify
    facts: { evidence: { provenance: { present: true, verified: false, key: build } } }
    expect: deny
  - name: signed by another key
    facts: { evidence: { provenance: { present: true, verified: true, key: laptop } } }
    expect: deny
---
apiVersion: slipway.dev/v1
kind: Policy
name: registered-repository
description: The provenance names the very commit that the service's registered repository holds.
allow: >-
  evidence.provenance.verified && evidence.provenance.repository != "" && commit.sha != "" &&
  evidence.provenance.commit == commit.sha
message: The provenance does not name a commit of the repository registered for {{ service.name }}.
tests:
  - name: the commit of the repository
    facts:
      service: { name: shop }
      commit: { sha: "8f0e2b6d5c1a4f3e9b7d6a5c4e3f2b1a0d9c8e7f" }
      evidence:
        provenance:
          verified: true
          repository: https://forge.example/shop.git
          commit: "8f0e2b6d5c1a4f3e9b7d6a5c4e3f2b1a0d9c8e7f"
    expect: allow
  - name: another commit
    facts:
      service: { name: shop }
      commit: { sha: "8f0e2b6d5c1a4f3e9b7d6a5c4e3f2b1a0d9c8e7f" }
      evidence:
        provenance:
          verified: true
          repository: https://forge.example/shop.git
          commit: "0000000000000000000000000000000000000000"
    expect: deny
---
apiVersion: slipway.dev/v1
kind: Policy
name: sbom-present
description: We can say what is inside - a software bill of materials is signed by the build key.
allow: evidence.sbom.present && evidence.sbom.verified && evidence.sbom.key == "build"
message: The image has no software bill of materials signed by the build key.
tests:
  - name: signed bill of materials
    facts: { evidence: { sbom: { present: true, verified: true, key: build } } }
    expect: allow
  - name: none
    facts: { evidence: { sbom: { present: false, verified: false, key: "" } } }
    expect: deny
  - name: signed by another key
    facts: { evidence: { sbom: { present: true, verified: true, key: laptop } } }
    expect: deny
---
apiVersion: slipway.dev/v1
kind: Policy
name: tests-passed
description: The build ran tests, and none failed. No tests is not the same as passed tests.
allow: >-
  evidence.test.present && evidence.test.verified && evidence.test.key == "build" &&
  evidence.test.passed > 0 && evidence.test.failed == 0
message: The tests of this build did not all pass, or none ran; give a build step a "report" in slipway.yaml.
tests:
  - name: all passed
    facts: { evidence: { test: { present: true, verified: true, key: build, passed: 12, failed: 0 } } }
    expect: allow
  - name: one failed
    facts: { evidence: { test: { present: true, verified: true, key: build, passed: 11, failed: 1 } } }
    expect: deny
  - name: none ran
    facts: { evidence: { test: { present: true, verified: true, key: build, passed: 0, failed: 0 } } }
    expect: deny
  - name: no report
    facts: { evidence: { test: { present: false, verified: false, key: "", passed: 0, failed: 0 } } }
    expect: deny
---
apiVersion: slipway.dev/v1
kind: Policy
name: succeeded-in-staging
description: Production runs only what has run in staging, byte for byte.
allow: '"staging" in history.succeededIn'
message: This digest has not succeeded in staging; promote it there first.
tests:
  - name: after staging
    facts: { history: { succeededIn: [dev, staging], rolledBackHere: false } }
    expect: allow
  - name: only in dev
    facts: { history: { succeededIn: [dev], rolledBackHere: false } }
    expect: deny
---
apiVersion: slipway.dev/v1
kind: Policy
name: not-rolled-back
description: What was rolled back here does not come back by itself; release a fix.
allow: "!history.rolledBackHere"
message: This digest was rolled back in {{ environment.name }} before; release a fix instead.
tests:
  - name: never rolled back
    facts: { environment: { name: prod }, history: { succeededIn: [], rolledBackHere: false } }
    expect: allow
  - name: rolled back here
    facts: { environment: { name: prod }, history: { succeededIn: [], rolledBackHere: true } }
    expect: deny
`,
};

let parsed: ParsedPlatform | undefined;

export function defaultPlatform(): ParsedPlatform {
  parsed ??= parsePlatform(DEFAULT_PLATFORM_FILES);
  return parsed;
}
