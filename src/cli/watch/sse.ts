/** One server-sent event. */
export interface StreamEvent {
  event: string;
  id: string | null;
  data: string;
}

/** A frame longer than this is no event of ours. */
const MAX_FRAME = 8_388_608;

/** Reads an event stream (WHATWG server-sent events) as it comes; `onBytes` hears of every sign of life. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    onBytes();
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > MAX_FRAME) throw new RangeError('an event of the stream is too long');
    const frames = rest.split(/\r?\n\r?\n/);
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      const event = parseFrame(frame);
      if (event !== null) yield event;
    }
  }
}

export function parseFrame(frame: string): StreamEvent | null {
  const data: string[] = [];
  let event = 'message';
  let id: string | null = null;
  for (const line of frame.split(/\r?\n/)) {
    const [, name, value = ''] = /^([a-z]+)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === 'data') data.push(value);
    if (name === 'event') event = value;
    if (name === 'id') id = value;
  }
  return data.length === 0 ? null : { event, id, data: data.join('\n') };
}
