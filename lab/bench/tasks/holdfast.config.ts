import { shopAtNight } from "./application.ts";

export default shopAtNight();
