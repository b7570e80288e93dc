/** A turn's request in each format, and as a curl command. Pure. */

const DEFAULT_MAX_TOKENS = 8192; // the Messages API requires a limit

const withoutEmpty = (members) =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value != null && value !== ""));

/** The content of messages in each API: a text, or parts with images as data URLs. */
const withContent = (messages, part) =>
  messages.map((message) =>
    typeof message.content === "string"
      ? message
      : { ...message, content: message.content.map(part) },
  );

const responsesPart = ({ type, text, image_url }) =>
  type === "text"
    ? { type: "input_text", text }
    : { type: "input_image", detail: "auto", image_url: image_url.url };

const messagesPart = ({ type, text, image_url }) => {
  if (type === "text") return { type, text };
  const [, media_type, data] = image_url.url.match(/^data:([^;]+);base64,(.*)$/s);
  return { type: "image", source: { type: "base64", media_type, data } };
};

/** Path and body of a request.
 *
 * @param {object[]} messages the conversation, as chat completions have it
 * @param {object} choice the user's settings: model, format, path (that of the format's API),
 *   reasoning, detail, summarizer, temperature, max_tokens. If one is missing, the gateway's or
 *   the model's default applies.
 */
export function requestFor(messages, choice) {
  const { model, format, path, reasoning, detail, summarizer, temperature, max_tokens } = choice;
  // Kept, the stream outlives a reload and a lost connection.
  const options = withoutEmpty({ reasoning, detail, summarizer, keep: true });
  const bodies = {
    responses: () => ({
      ...withoutEmpty({
        model,
        input: withContent(messages, responsesPart),
        temperature,
        max_output_tokens: max_tokens,
      }),
      gateway: options,
    }),
    messages: () => ({
      ...withoutEmpty({
        model,
        max_tokens: max_tokens ?? DEFAULT_MAX_TOKENS,
        messages: withContent(messages, messagesPart),
        temperature,
      }),
      gateway: options,
    }),
  };
  const chatBody = () => ({
    ...withoutEmpty({ model, messages, temperature, max_tokens }),
    ...(format === "phased" || format === "openai"
      ? { stream_options: { include_usage: true } }
      : {}),
    gateway: { format, ...options },
  });
  return { path, body: { ...(bodies[format] ?? chatBody)(), stream: true } };
}

const shellQuoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The request as a shell command. A key comes from the variable GATEWAY_API_KEY.
 *
 * @param {string} baseUrl the gateway's, with a trailing slash
 */
export function curl({ path, body }, baseUrl, withKey) {
  return [
    `curl -N ${shellQuoted(baseUrl + path)}`,
    "-H 'Content-Type: application/json'",
    ...(withKey ? ['-H "Authorization: Bearer $GATEWAY_API_KEY"'] : []),
    `-d ${shellQuoted(JSON.stringify(body))}`,
  ].join(" \\\n  ");
}
