# Reads Vagrantfiles with Vagrant itself and prints what it understood, for TestAgainstVagrant. The files are synthetic and do nothing.
require 'json'
require 'fileutils'
require 'tmpdir'
ENV['VAGRANT_NO_PLUGINS'] = '1'
require 'vagrant'

def text(value)
  case value
  when Array then value.map { |v| text(v) }
  when Hash then value.to_h { |k, v| [k.to_s, text(v)] }
  else value.nil? ? nil : value.to_s
  end
end

def machine(env, name)
  config = env.vagrantfile.machine_config(name, :virtualbox, nil, nil, false)[:config]
  vb = config.vm.get_provider_config(:virtualbox)
  {
    name: name.to_s, box: text(config.vm.box), box_version: text(config.vm.box_version), hostname: text(config.vm.hostname),
    boot_timeout: text(config.vm.boot_timeout), insert_key: text(config.ssh.insert_key),
    networks: config.vm.networks.map { |kind, options| { kind: kind.to_s, options: text(options) } },
    folders: config.vm.synced_folders.values.map { |options| text(options) },
    customize: vb.customizations.map { |_, args| args.map(&:to_s) }, name_of_vm: text(vb.name), gui: text(vb.gui),
  }
end

result = ARGV.to_h do |file|
  Dir.mktmpdir do |dir|
    FileUtils.cp(file, "#{dir}/Vagrantfile")
    env = Vagrant::Environment.new(cwd: dir, home_path: "#{dir}/home", ui_class: Vagrant::UI::Silent)
    [file, { machines: env.machine_names.map { |name| machine(env, name) } }]
  rescue Vagrant::Errors::VagrantError, ArgumentError => e
    [file, { error: "#{e.class}: #{e.message}" }]
  end
end
puts "\n#{JSON.dump(result)}"
