/** Spec: data/api/client-server/pushrules.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema } from '../http/schema.ts';
import { invalidParam, MatrixError, notFound } from '../protocol/errors.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { isJsonObject } from '../protocol/json/index.ts';
import {
  deleteRule,
  PUSH_RULE_KINDS,
  type PushCondition,
  type PushRule,
  type PushRuleKind,
  putRule,
  type RuleProblem,
} from '../protocol/push/index.ts';
import { v3 } from './paths.ts';

const params = z.object({ kind: z.enum(PUSH_RULE_KINDS), ruleId: z.string().min(1).max(1024) });
const actions = z.array(z.union([z.string(), jsonObjectSchema])).max(50);
const conditions = z
  .array(
    z.custom<PushCondition>((value) => isJsonObject(value) && typeof value.kind === 'string', 'must be a condition'),
  )
  .max(50);

/** Push rules: which events notify a user, and how. */
export function pushrulesRoutes({ accounts: { pushRules } }: { accounts: Accounts }): Route[] {
  const rule = (userId: UserId, kind: PushRuleKind, ruleId: string): PushRule => {
    const found = pushRules.get(userId)[kind].find((one) => one.rule_id === ruleId);
    if (found === undefined) throw notFound('No such push rule');
    return found;
  };
  return [
    route({
      method: 'GET',
      path: v3('/pushrules/'),
      operationId: 'getPushRules',
      spec: 'client-server-api/#get_matrixclientv3pushrules',
      auth: 'guest',
      handle: ({ requester }) => ({ global: pushRules.get(requester.userId) }),
    }),
    route({
      method: 'GET',
      path: v3('/pushrules/global/'),
      operationId: 'getPushRulesGlobal',
      spec: 'client-server-api/#get_matrixclientv3pushrulesglobal',
      auth: 'guest',
      handle: ({ requester }) => pushRules.get(requester.userId),
    }),
    route({
      method: 'GET',
      path: v3('/pushrules/global/{kind}/{ruleId}'),
      operationId: 'getPushRule',
      spec: 'client-server-api/#get_matrixclientv3pushrulesglobalkindruleid',
      auth: 'guest',
      params,
      handle: ({ requester, params: { kind, ruleId } }) => rule(requester.userId, kind, ruleId),
    }),
    route({
      method: 'PUT',
      path: v3('/pushrules/global/{kind}/{ruleId}'),
      operationId: 'setPushRule',
      spec: 'client-server-api/#put_matrixclientv3pushrulesglobalkindruleid',
      auth: 'user',
      rateLimit: 'generic',
      params,
      query: z.object({ before: z.string().optional(), after: z.string().optional() }),
      body: z.object({ actions, conditions: conditions.optional(), pattern: z.string().max(1024).optional() }),
      handle: async ({ requester, params: { kind, ruleId }, query, body }) => {
        if (/^\.|[/\\]/.test(ruleId)) throw invalidParam('A rule id may not begin with a dot or hold slashes');
        if (kind === 'content' && body.pattern === undefined) throw invalidParam('A content rule needs a pattern');
        const added: PushRule = {
          rule_id: ruleId,
          default: false,
          enabled: true,
          actions: body.actions,
          ...(kind === 'content' && body.pattern !== undefined ? { pattern: body.pattern } : {}),
          ...(kind === 'override' || kind === 'underride' ? { conditions: body.conditions ?? [] } : {}),
        };
        refuse(await pushRules.change(requester.userId, (changes) => putRule(changes, kind, added, query)));
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: v3('/pushrules/global/{kind}/{ruleId}'),
      operationId: 'deletePushRule',
      spec: 'client-server-api/#delete_matrixclientv3pushrulesglobalkindruleid',
      auth: 'user',
      params,
      handle: async ({ requester, params: { kind, ruleId } }) => {
        refuse(await pushRules.change(requester.userId, (changes) => deleteRule(changes, kind, ruleId)));
        return {};
      },
    }),
    route({
      method: 'GET',
      path: v3('/pushrules/global/{kind}/{ruleId}/enabled'),
      operationId: 'isPushRuleEnabled',
      spec: 'client-server-api/#get_matrixclientv3pushrulesglobalkindruleidenabled',
      auth: 'guest',
      params,
      handle: ({ requester, params: { kind, ruleId } }) => ({ enabled: rule(requester.userId, kind, ruleId).enabled }),
    }),
    route({
      method: 'PUT',
      path: v3('/pushrules/global/{kind}/{ruleId}/enabled'),
      operationId: 'setPushRuleEnabled',
      spec: 'client-server-api/#put_matrixclientv3pushrulesglobalkindruleidenabled',
      auth: 'user',
      params,
      body: z.object({ enabled: z.boolean() }),
      handle: async ({ requester: { userId }, params: { kind, ruleId }, body }) => {
        refuse(await pushRules.adjust(userId, kind, ruleId, body));
        return {};
      },
    }),
    route({
      method: 'GET',
      path: v3('/pushrules/global/{kind}/{ruleId}/actions'),
      operationId: 'getPushRuleActions',
      spec: 'client-server-api/#get_matrixclientv3pushrulesglobalkindruleidactions',
      auth: 'guest',
      params,
      handle: ({ requester, params: { kind, ruleId } }) => ({ actions: rule(requester.userId, kind, ruleId).actions }),
    }),
    route({
      method: 'PUT',
      path: v3('/pushrules/global/{kind}/{ruleId}/actions'),
      operationId: 'setPushRuleActions',
      spec: 'client-server-api/#put_matrixclientv3pushrulesglobalkindruleidactions',
      auth: 'user',
      params,
      body: z.object({ actions }),
      handle: async ({ requester: { userId }, params: { kind, ruleId }, body }) => {
        refuse(await pushRules.adjust(userId, kind, ruleId, body));
        return {};
      },
    }),
  ];
}

function refuse(problem: RuleProblem | undefined): void {
  if (problem === 'no-such-rule') throw notFound('No such push rule');
  if (problem === 'no-such-place')
    throw new MatrixError('M_UNKNOWN', 'before and after must name an own rule of this kind');
  if (problem === 'too-many')
    throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many push rules, or too long ones', { status: 400 });
}
