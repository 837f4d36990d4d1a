# The image holds one static binary and nothing else: no shell, no package manager, no account database. Certificate roots
# and the time zone database are compiled in.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN VERSION="$VERSION" tools/rootfs.sh /out

FROM scratch
COPY --from=build /out/ /
# By number: there is no /etc/passwd to look a name up in.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/sidewarden"]
CMD ["serve", "--config", "/etc/sidewarden/sidewarden.yaml"]
