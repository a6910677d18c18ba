/** A failure with an HTTP status; everything else that is thrown is a 500. */
export class ShopError extends Error {
  constructor(status, message) {
    super(message);
    this.name = 'ShopError';
    this.status = status;
  }
}
