# Not run anywhere so far, only parsed: see README.md. Reads its version from Cargo.toml.
{
  description = "sekisho, a terminal switcher for AWS accounts";
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      each = build: nixpkgs.lib.genAttrs systems (system: build nixpkgs.legacyPackages.${system});
      manifest = (nixpkgs.lib.importTOML ../../Cargo.toml).package;
    in
    {
      packages = each (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = manifest.name;
          version = manifest.version;
          src = ../..;
          cargoLock.lockFile = ../../Cargo.lock;
          buildType = "dist";
          doCheck = false; # the tests want moto, the AWS CLI and a terminal
          nativeBuildInputs = [ pkgs.installShellFiles ];
          postInstall = ''
            $out/bin/sekisho man > sekisho.1
            installManPage sekisho.1
            for shell in bash zsh fish; do
              installShellCompletion --cmd sekisho --$shell <($out/bin/sekisho completions $shell)
            done
          '';
          meta = {
            description = manifest.description;
            homepage = manifest.repository;
            license = with pkgs.lib.licenses; [ mit asl20 ];
            mainProgram = "sekisho";
          };
        };
      });
    };
}
