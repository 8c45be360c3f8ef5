// A bundle's entry: submits one job, and prints its id or why it could not.
import { submitOnce } from "./script.js";

submitOnce(process.argv[2] ?? "").then(
  (id) => console.log(id),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
