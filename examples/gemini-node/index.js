#!/usr/bin/env node
// Asks the Gemini API about one batch. Needs GEMINI_API_KEY and BATCH_ID ("batches/123" or "123").

const URL_BASE = process.env.GEMINI_URL ?? "https://generativelanguage.googleapis.com/v1beta";
const RUNNING = ["BATCH_STATE_UNSPECIFIED", "BATCH_STATE_PENDING", "BATCH_STATE_RUNNING"];
const FAILED = ["BATCH_STATE_FAILED", "BATCH_STATE_CANCELLED", "BATCH_STATE_EXPIRED"];

async function main() {
  const { GEMINI_API_KEY, BATCH_ID } = process.env;
  if (!GEMINI_API_KEY || !BATCH_ID) {
    return { status: "ERROR", message: "The variables GEMINI_API_KEY and BATCH_ID must be set" };
  }
  try {
    return verdict(await fetchBatch(GEMINI_API_KEY, BATCH_ID));
  } catch (error) {
    const reason = error.cause?.message ?? error.message;
    return { status: "ERROR", message: `Gemini could not be asked: ${reason}` };
  }
}

async function fetchBatch(apiKey, batchId) {
  const name = batchId.startsWith("batches/") ? batchId : `batches/${batchId}`;
  const response = await fetch(`${URL_BASE}/${name}`, {
    headers: { "x-goog-api-key": apiKey },
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) {
    throw new Error(`HTTP ${response.status}`);
  }
  return response.json();
}

// The API answers with an Operation: the batch's state and counts are its metadata.
function verdict(operation) {
  const batch = operation.metadata ?? {};
  const state = batch.state ?? "BATCH_STATE_UNSPECIFIED";
  const counts = Object.fromEntries(
    Object.entries(batch.batchStats ?? {}).map(([key, count]) => [key, Number(count)]),
  );
  const data = { batch: operation.name, state, end_time: batch.endTime ?? null, ...counts };

  if (state === "BATCH_STATE_SUCCEEDED") {
    return { status: "SUCCESS", message: "The batch is complete", data, progress: 100 };
  }
  if (FAILED.includes(state)) {
    const reason = operation.error?.message ?? "no reason given";
    return { status: "FAILED", message: `${state}: ${reason}`, data };
  }
  if (RUNNING.includes(state)) {
    return { status: "PENDING", message: state, data, progress: progress(counts) };
  }
  return { status: "ERROR", message: `Unknown state ${state}`, data };
}

function progress({ requestCount: total = 0, pendingRequestCount: pending = total }) {
  return total ? Math.floor((100 * (total - pending)) / total) : 0;
}

main().then((answer) => console.log(JSON.stringify(answer)));
