/** Delivery: what goes out to those who aren't connected, by durable queues. */
export { FederationSender, type FederationSenderDeps } from './federation-sender.ts';
export { federationDeliveryMigrations } from './federation-store.ts';
export { GatewayClient } from './gateway.ts';
export { type NotificationsRequest, notificationsJson } from './notifications.ts';
export { PushDelivery, type PushDeliveryDeps } from './push-delivery.ts';
export { PushFollower, type PushFollowerDeps } from './push-follower.ts';
export { type NewPusher, type Pusher, Pushers } from './pushers.ts';
export { deliveryMigrations } from './store.ts';
export { ToDeviceOutbox, toDeviceOutboxMigrations } from './to-device-outbox-store.ts';
