# Inglenook from dist/, on the Node of the npm package `node`, without build tools, as an unprivileged user.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --loglevel=error --no-audit --no-fund
COPY . .
RUN npm run build
RUN npm prune --omit=dev --ignore-scripts --loglevel=error

FROM debian:bookworm-slim
LABEL org.opencontainers.image.licenses=Apache-2.0
RUN useradd --system --uid 990 --home-dir /data inglenook && mkdir /data && chown inglenook /data
WORKDIR /data
COPY --from=build /build/package.json /build/LICENSE /build/config.sample.yaml /inglenook/
COPY --from=build /build/node_modules /inglenook/node_modules
COPY --from=build /build/dist /inglenook/dist
ENV PATH=/inglenook/node_modules/node/bin:$PATH INGLENOOK_COMPILE_CACHE=/tmp/inglenook-compile
USER inglenook
VOLUME /data
EXPOSE 8008 8448
# /data/config.yaml is read if it is there. A container needs a listener on 0.0.0.0 in it, with the resource health.
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["node", "-e", "fetch('http://127.0.0.1:8008/health').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--enable-source-maps", "/inglenook/dist/main.js"]
CMD ["start"]
