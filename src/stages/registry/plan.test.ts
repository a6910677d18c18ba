import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../../kernel/digest.ts';
import { createManifestCache } from './cache.ts';
import { isAnyDigest, isMediaType, isRepositoryName, isTag } from './names.ts';
import { decideTag, isAttachmentTag, isMutableTag, pushAction } from './plan.ts';
import { parseContentRange, parseRange, uploadRange } from './ranges.ts';
import { parseTarget } from './target.ts';

const component = fc.stringMatching(/^[a-z0-9]{1,5}([._-][a-z0-9]{1,5})?$/);
const name = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const word = fc.constantFrom(
  'manifests',
  'blobs',
  'uploads',
  'tags',
  'list',
  'referrers',
  '_catalog',
  'token',
  'v2',
  '',
  '..',
  'a',
);

describe('targets', () => {
  it('law: a well-formed path is read as what it was made of', () => {
    const digest = sha256('x');
    fc.assert(
      fc.property(name, (repository) => {
        assert.deepEqual(parseTarget(`/v2/${repository}/manifests/v1`), {
          kind: 'manifest',
          repository,
          reference: 'v1',
        });
        assert.deepEqual(parseTarget(`/v2/${repository}/blobs/${digest}`), {
          kind: 'blob',
          repository,
          digest,
        });
        assert.deepEqual(parseTarget(`/v2/${repository}/blobs/uploads/`), { kind: 'uploads', repository });
        assert.deepEqual(parseTarget(`/v2/${repository}/blobs/uploads/id`), {
          kind: 'upload',
          repository,
          id: 'id',
        });
        assert.deepEqual(parseTarget(`/v2/${repository}/tags/list`), { kind: 'tags', repository });
        assert.deepEqual(parseTarget(`/v2/${repository}/referrers/${digest}`), {
          kind: 'referrers',
          repository,
          digest,
        });
      }),
    );
  });

  it('law: whatever the path, a repository that comes out fits the grammar', () => {
    const segment = fc.oneof(word, component, fc.string(), fc.string().map(encodeURIComponent));
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 8 }), (segments) => {
        const target = parseTarget(`/v2/${segments.join('/')}`);
        if ('repository' in target) assert.ok(isRepositoryName(target.repository));
      }),
      { numRuns: 500 },
    );
  });
});

describe('names', () => {
  it('are judged in linear time', () => {
    const start = performance.now();
    for (const evil of [
      'a'.repeat(250),
      'a-'.repeat(120),
      `${'a__'.repeat(80)}!`,
      `${'a/'.repeat(127)}/`,
      `${'-'.repeat(250)}`,
    ]) {
      isRepositoryName(`${evil}!`);
      isTag(evil.repeat(1000));
      isAnyDigest(`${evil.repeat(1000)}:`);
      isMediaType(evil);
    }
    assert.ok(performance.now() - start < 200);
  });

  it('fit the examples of the specification', () => {
    for (const good of ['a', 'a/b', 'a.b', 'a_b', 'a__b', 'a-b', 'a---b', '0/1', 'library/ubuntu'])
      assert.ok(isRepositoryName(good), good);
    for (const bad of ['', 'A', '/a', 'a/', 'a..b', 'a___b', '-a', 'a-', '.a', 'a._b', 'a:b'])
      assert.ok(!isRepositoryName(bad), bad);
    for (const good of ['v1', '_', 'A.b-c_d', 'x'.repeat(128)]) assert.ok(isTag(good), good);
    for (const bad of ['', '.a', '-a', 'a b', 'a/b', 'x'.repeat(129)]) assert.ok(!isTag(bad), bad);
  });
});

describe('ranges', () => {
  it('law: a part lies within the body and is what was asked for', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.nat(120), fc.nat(120), (size, start, length) => {
        const answer = parseRange(`bytes=${start}-${start + length}`, size);
        if (start >= size) return assert.equal(answer.kind, 'unsatisfiable');
        assert.deepEqual(answer, { kind: 'part', range: { start, end: Math.min(start + length, size - 1) } });
      }),
    );
    fc.assert(
      fc.property(fc.string(), fc.nat(100), (header, size) => {
        const answer = parseRange(header, size);
        if (answer.kind === 'part')
          assert.ok(answer.range.start <= answer.range.end && answer.range.end < size);
      }),
    );
  });

  it('of uploads are read in both forms and written in one', () => {
    for (const text of ['0-9', 'bytes 0-9/10', 'bytes=0-9', 'bytes 0-9/*']) {
      assert.deepEqual(parseContentRange(text), { start: 0, end: 9 }, text);
    }
    for (const text of ['', '9-0', '-9', '0-', 'a-b', '0-9-10', '0-99999999999999999'])
      assert.equal(parseContentRange(text), null, text);
    assert.deepEqual([uploadRange(0), uploadRange(1), uploadRange(10)], ['0-0', '0-0', '0-9']);
  });
});

describe('tags', () => {
  it('law: an immutable tag never moves, and the same digest is always taken', () => {
    const digest = fc.string().map(sha256);
    fc.assert(
      fc.property(fc.option(digest), digest, fc.boolean(), (current, pushed, mutable) => {
        const decision = decideTag(current, pushed, mutable);
        if (current === pushed) assert.equal(decision, 'same');
        else if (current === null) assert.equal(decision, 'create');
        else assert.equal(decision, mutable ? 'move' : 'refuse');
      }),
    );
  });

  it('are mutable under the prefixes and for attachments only', () => {
    const hex = sha256('x').slice(7);
    for (const tag of [`sha256-${hex}`, `sha256-${hex}.sig`, `sha512-${hex}.att`])
      assert.ok(isAttachmentTag(tag), tag);
    for (const tag of [
      `sha256-${hex}.exe`,
      `sha256-${hex}x`,
      `sha256-${hex.slice(1)}`,
      `SHA256-${hex}`,
      `sha256-${hex}.sig.sig`,
    ]) {
      assert.ok(!isAttachmentTag(tag), tag);
    }
    assert.ok(isMutableTag('dev/app', 'latest', ['dev/']));
    assert.ok(!isMutableTag('dev', 'latest', ['dev/']));
    assert.ok(!isMutableTag('develop/app', 'latest', ['dev/']));
  });

  it('pushing needs the right for what is pushed', () => {
    const tag = `sha256-${sha256('x').slice(7)}.sig`;
    assert.equal(pushAction({ subject: 'sha256:…' }, ['v1']), 'attach');
    assert.equal(pushAction({ subject: null }, [tag]), 'attach');
    assert.equal(pushAction({ subject: null }, [tag, 'v1']), 'create');
    assert.equal(pushAction({ subject: null }, []), 'create');
  });
});

describe('the cache of manifests', () => {
  it('keeps the last used within its bytes, apart by repository', () => {
    const cache = createManifestCache(100);
    const manifest = (text: string) => ({
      mediaType: 'a/b',
      digest: sha256(text),
      bytes: Buffer.from(text.padEnd(40)),
    });
    const [one, two, three] = [manifest('1'), manifest('2'), manifest('3')] as const;
    cache.put('a', one);
    cache.put('a', two);
    assert.equal(cache.get('b', one.digest), undefined);
    assert.equal(cache.get('a', one.digest), one);
    cache.put('a', three);
    assert.equal(cache.get('a', two.digest), undefined);
    assert.deepEqual([cache.get('a', one.digest), cache.get('a', three.digest)], [one, three]);
  });
});
