# Written by `boxdoctor init`; `boxdoctor init --remove` takes it out. It examines the machines after `vagrant up`, does
# nothing where boxdoctor is not installed, and does not make `vagrant up` fail.
if Vagrant::Util::Which.which("boxdoctor") && Gem::Version.new(Vagrant::VERSION) >= Gem::Version.new("2.1.0")
  Vagrant.configure("2") do |config|
    config.trigger.after :up do |trigger|
      trigger.name = "boxdoctor"
      trigger.info = "examining the machines"
      trigger.on_error = :continue
      trigger.run = { inline: "boxdoctor check" }
    end
  end
end
