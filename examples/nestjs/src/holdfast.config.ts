// For `holdfast worker`, and every other command and role.
import { nestApplication } from "holdfast/nestjs";
import { application } from "./jobs.js";

export default nestApplication(application, async () => (await import("./app.module.js")).AppModule);
