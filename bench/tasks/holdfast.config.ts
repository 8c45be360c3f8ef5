import { shopIn } from "../../test/support/shop.ts";

export default shopIn({ isPartnerDown: true });
