import type { Promotion } from '../api/types.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../errors.ts';
import { findPromotion } from '../find.ts';
import { pairs } from '../output/table.ts';
import { ago } from '../output/time.ts';
import type { Input, Run } from '../spec.ts';
import { promotionWords } from '../watch/promotion.ts';

export const approve: Run = (context, input) => answer(context, input, 'approve');
export const reject: Run = (context, input) => answer(context, input, 'reject');

async function answer(context: Context, input: Input, kind: 'approve' | 'reject'): Promise<number> {
  const { io, output } = context;
  const api = await context.api();
  const found = await findPromotion(api, input.args[0] ?? '');
  output.note(summary(found, io.nowMs()).trimEnd());
  if (input.flag('dry-run')) {
    await output.result(found, 'nothing was answered');
    return EXIT.ok;
  }
  const options = { params: { path: { promotion: found.id } }, body: { reason: input.text('reason') ?? '' } };
  const answered = await api.call(
    kind === 'approve'
      ? api.client.POST('/v1/promotions/{promotion}/approve', options)
      : api.client.POST('/v1/promotions/{promotion}/reject', options),
  );
  const verb = kind === 'approve' ? 'approved' : 'rejected';
  await output.result(answered, `${verb} ${answered.service}/${answered.environment} (${answered.id})`);
  if (kind === 'approve') output.note(`follow it: slipway status ${answered.service}`);
  return EXIT.ok;
}

function summary(promotion: Promotion, nowMs: number): string {
  return pairs([
    [
      'promotion',
      `${promotion.service} to ${promotion.environment} (${promotion.kind}), asked for by ${promotion.requestedBy} ${ago(promotion.createdAt, nowMs)}`,
    ],
    ['digest', promotion.digest],
    ['state', promotionWords(promotion)],
    ['ends', ago(promotion.deadlineAt, nowMs)],
  ]);
}
