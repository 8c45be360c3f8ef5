// Telling how far a script is, and for how long it has worked.

/** Prints one line around work that takes long: "Building…  done in 3.1 s". */
export async function step(title, work) {
  process.stdout.write(`${title}…  `);
  const stopWatch = startStopWatch();
  try {
    await work();
    console.log(`done in ${stopWatch()}`);
  } catch (error) {
    console.log(`failed after ${stopWatch()}`);
    throw error;
  }
}

/** Returns a function that tells the time since now, for people: "0.4 s", "12 s", "2 min 5 s". */
export function startStopWatch() {
  const startedAt = performance.now();
  return () => forPeople((performance.now() - startedAt) / 1000);
}

function forPeople(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
