/** What is sent to the gateway for a turn, in each format, and the same as a command line. Pure. */

const MAX_TOKENS = 8192; // the Messages API wants a limit

const given = (members) =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value != null && value !== ""));

/** Path and body of a request.
 *
 * @param {object[]} messages the conversation, as chat completions have it
 * @param {object} choice the user's settings: model, format, path (that of the format's API), reasoning,
 *   detail, summarizer, temperature, max_tokens. A missing one has the gateway's or the model's
 *   default.
 */
export function requestFor(messages, choice) {
  const { model, format, path, reasoning, detail, summarizer, temperature, max_tokens } = choice;
  const options = given({ reasoning, detail, summarizer });
  const make = {
    responses: () => ({
      ...given({ model, input: messages, temperature, max_output_tokens: max_tokens }),
      gateway: options,
    }),
    messages: () => ({
      ...given({ model, max_tokens: max_tokens ?? MAX_TOKENS, messages, temperature }),
      gateway: options,
    }),
  };
  const chat = () => ({
    ...given({ model, messages, temperature, max_tokens }),
    ...(format === "phased" || format === "openai"
      ? { stream_options: { include_usage: true } }
      : {}),
    gateway: { format, ...options },
  });
  return { path, body: { ...(make[format] ?? chat)(), stream: true } };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The request as a command for a shell, where a key is in a variable.
 *
 * `origin`: where the gateway is, with a slash at its end.
 */
export function curl({ path, body }, origin, withKey) {
  return [
    `curl -N ${quoted(origin + path)}`,
    "-H 'Content-Type: application/json'",
    ...(withKey ? ['-H "Authorization: Bearer $GATEWAY_API_KEY"'] : []),
    `-d ${quoted(JSON.stringify(body))}`,
  ].join(" \\\n  ");
}
