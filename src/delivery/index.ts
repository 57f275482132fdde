/** Delivery: what goes out to those who aren't connected, by durable queues. */

export { DurableEdus } from './durable-edus.ts';
export { EduOutbox, eduOutboxMigrations } from './edu-outbox-store.ts';
export { EmailDelivery, type EmailDeliveryDeps, type EmailRules } from './email-delivery.ts';
export { emailPusherMigrations } from './email-store.ts';
export { FederationSender, type FederationSenderDeps } from './federation-sender.ts';
export { federationDeliveryMigrations } from './federation-store.ts';
export { GatewayClient } from './gateway.ts';
export { type NotificationsRequest, notificationsJson } from './notifications.ts';
export { PushDelivery, type PushDeliveryDeps } from './push-delivery.ts';
export { PushFollower, type PushFollowerDeps } from './push-follower.ts';
export { EMAIL_APP_ID, EMAIL_KIND, type NewPusher, type Pusher, Pushers } from './pushers.ts';
export { deliveryMigrations } from './store.ts';
export { ToDeviceOutbox, toDeviceOutboxMigrations } from './to-device-outbox-store.ts';
export { UNSUBSCRIBE_PATH, UnsubscribeLinks } from './unsubscribe-links.ts';
