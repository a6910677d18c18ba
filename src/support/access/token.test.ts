import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../platform/clock.ts';
import { mintToken, parseToken, tokenOf } from './token.ts';

const encode = (text: string) => Buffer.from(text).toString('base64');

test('a minted token reads back, and only whole', () => {
  const minted = mintToken(systemClock);
  assert.match(minted.token, /^slp_[0-9a-z]{26}_[A-Za-z0-9_-]{43}$/);
  assert.deepEqual(parseToken(minted.token), { id: minted.id, secretHash: minted.secretHash });
  assert.ok(!JSON.stringify({ id: minted.id, hash: minted.secretHash }).includes(minted.token.slice(-43)));
  for (const bad of [
    minted.token.slice(0, -1),
    `${minted.token}a`,
    minted.token.toUpperCase(),
    ` ${minted.token}`,
    '',
  ]) {
    assert.equal(parseToken(bad), null);
  }
  assert.notEqual(mintToken(systemClock).token, minted.token);
});

test('where a token may stand in a request', () => {
  assert.equal(tokenOf({}), null);
  assert.equal(tokenOf({ authorization: 'Bearer abc' }), 'abc');
  assert.equal(tokenOf({ authorization: 'bearer  abc ' }), 'abc');
  assert.equal(tokenOf({ authorization: `Basic ${encode('anyone:abc')}` }), 'abc');
  assert.equal(tokenOf({ authorization: `Basic ${encode('a:b:c')}` }), 'b:c');
  assert.equal(tokenOf({ cookie: 'a=b; slipway_session=abc; c=d' }), 'abc');
  assert.equal(tokenOf({ cookie: 'a=b' }), null);
  assert.equal(
    tokenOf({ authorization: 'Digest x', cookie: 'slipway_session=abc' }),
    '',
    'a header beats the cookie',
  );
  assert.equal(tokenOf({ authorization: `Bearer ${'a'.repeat(5000)}` }), '');
});

test('law: no header makes it throw', () => {
  fc.assert(
    fc.property(
      fc.option(fc.string(), { nil: undefined }),
      fc.option(fc.string(), { nil: undefined }),
      (a, c) => {
        const token = tokenOf({ authorization: a, cookie: c });
        if (token !== null) parseToken(token);
      },
    ),
  );
});
