/**
 * What a seller's id looks like: the `sub` of a token (SPEC.md, "Words"). Wide enough for e-mail addresses and for the
 * ids of common identity providers (`auth0|5f7c…`, `client@clients`), and free of anything that could break a line of a
 * log, a path or a header. Case matters.
 */
export const SELLER_ID = /^[A-Za-z0-9_.@:|+~-]{1,128}$/

/** The same in words, for the error that says so. */
export const SELLER_ID_RULE = '1 to 128 characters of A-Z a-z 0-9 _ . @ : | + ~ -'
